package power

import (
	"cmp"
	"slices"
	"time"
)

const (
	// kept is of how many outages is remembered what they showed: a battery ages by
	// the year, and few see more outages than that in one.
	kept = 5
	// sure is how many outages must show that a battery lasts longer than its owner
	// says, until it is believed. That it is shorter is believed at once: who goes too
	// early has lost some minutes, who goes too late a file system.
	sure = 3
)

// Span is for how long a battery was seen to last.
type Span struct {
	Took time.Duration `json:"took"`
	// AtLeast: it would have lasted longer.
	AtLeast bool `json:"at_least,omitempty"`
}

// Spans is what the newest outages have shown, the oldest first.
type Spans []Span

// Expect returns what to expect after these: of the recent ones the shortest counts
// half, the next a quarter, and so on; what is left goes to the shortest. None: other.
func (s Spans) Expect(other time.Duration) time.Duration {
	if len(s) == 0 {
		return other
	}
	sorted := slices.Clone(s)
	slices.SortFunc(sorted, func(a, b Span) int { return cmp.Compare(a.Took, b.Took) })
	share, sum, left := 0.5, 0.0, 1.0
	for _, one := range sorted {
		sum += share * float64(one.Took)
		left -= share
		share /= 2
	}
	return time.Duration(sum + left*float64(sorted[0].Took))
}

// add returns s with a new one, without those that are too old.
func (s Spans) add(one Span) Spans {
	s = append(slices.Clone(s), one)
	return s[max(0, len(s)-kept):]
}

// Battery is what is known of a UPS's battery at one moment.
type Battery struct {
	// Runtime is how long a full battery is expected to last; 0: unknown. Declared is
	// what its owner says, likewise.
	Runtime, Declared time.Duration
	// ToLow is how much of that is over when the UPS says low, as Lows outages have
	// shown; 0: none has.
	ToLow time.Duration
	Lows  int
	// Reserve is how much is left then; ReserveLearned: an outage has shown it.
	Reserve        time.Duration
	ReserveLearned bool
	// Debt is the battery seconds spent and not yet recharged, as of now and not of
	// an outage's beginning. Assumed is the part of it that nobody saw being spent.
	Debt, Assumed time.Duration
}

// Learned reports whether Runtime is what outages have shown.
func (b Battery) Learned() bool { return b.ToLow > 0 && b.Runtime == b.ToLow+b.Reserve }

// Charge returns how full the battery is, from 0 to 1; false: nobody can say, because
// its runtime is unknown and it owes something.
func (b Battery) Charge() (float64, bool) {
	switch {
	case b.Debt <= 0:
		return 1, true
	case b.Runtime <= 0:
		return 0, false
	default:
		return max(0, 1-float64(b.Debt)/float64(b.Runtime)), true
	}
}
