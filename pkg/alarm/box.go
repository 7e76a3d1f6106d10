package alarm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// boxMax bounds what waits for one receiver: more than that at once helps nobody.
	boxMax = 32
	// keepFor is how long a message is tried.
	keepFor = 7 * 24 * time.Hour
	// firstWait and lastWait bound the wait between one attempt and the next.
	firstWait = 5 * time.Second
	lastWait  = 5 * time.Minute
	// gap stands between two messages that waited: receivers count how many come in a
	// second.
	gap = time.Second
	// refusals is how often a message that is refused for what it is gets tried.
	refusals = 5
	// tellAfter is how long a receiver may not be reached before that is said.
	tellAfter = 2 * time.Minute
)

// entry is a message that waits. What has a name in JSON is on disk.
type entry struct {
	ID      string  `json:"id"`
	Message Message `json:"message"`
	// Waited is how long it waited in earlier runs of the daemon; it is counted, not
	// taken from the wall clock, which jumps.
	Waited time.Duration `json:"waited,omitempty"`
	// Lost is how many in front of it had to go.
	Lost int `json:"lost,omitempty"`

	since   time.Time // in this run
	refused int
}

// waited returns how long it has been waiting.
func (e entry) waited(now time.Time) time.Duration { return e.Waited + now.Sub(e.since) }

// note makes e fit to be sent now.
func (e entry) note(from string, now time.Time) note {
	late := e.waited(now)
	// The daemon may have been off. Without Round this would be by the clock that stood
	// still meanwhile.
	if wall := now.Round(0).Sub(e.Message.Wall.Round(0)); wall > late && wall < lateMax {
		late = wall
	}
	if late < lateAfter {
		late = 0
	}
	return note{Message: e.Message, id: e.ID, from: from, late: late, lost: e.Lost}
}

// box is the queue of one receiver.
type box struct {
	target Target
	name   string // for people
	id     string // on disk
	wake   chan struct{}
	spread func() float64 // from 0 to 1: many daemons must not come back at once

	mu       sync.Mutex // guards everything that follows
	waiting  []entry
	sending  string    // the id of the one that is being sent
	next     time.Time // not before; zero: at once
	bidden   bool      // next is the receiver's own wish
	failures int       // in a row
	failing  time.Time // since when; zero: not
	err      error     // the last failure
	gaveUp   int       // how many since somebody was last reached
	why      error
}

func newBox(t Target, name, id string) *box {
	return &box{target: t, name: name, id: id, wake: make(chan struct{}, 1), spread: rand.Float64}
}

// poke wakes whoever serves the box. It never blocks.
func (b *box) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// add puts a message at the end and reports how many had to go for it. A problem that
// waits to be told is not repeated: the older message says since when.
func (b *box) add(m Message, id string, now time.Time) (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Event == "problem" && b.told(m) {
		return 0
	}
	b.waiting = append(b.waiting, entry{ID: id, Message: m, since: now})
	lost = b.shrink()
	if soon := now.Add(firstWait); b.next.After(soon) && !b.bidden {
		b.next = soon // something happens: perhaps the network is back
	}
	return lost
}

// told reports whether the newest word on m's problem that waits is that it is there.
func (b *box) told(m Message) bool {
	for _, e := range slices.Backward(b.waiting) {
		if e.Message.On == m.On && e.Message.Problem == m.Problem && e.ID != b.sending {
			return e.Message.Event == m.Event
		}
	}
	return false
}

// shrink drops the oldest that are too many; the next one says so.
func (b *box) shrink() (lost int) {
	for len(b.waiting) > boxMax {
		lost++
		b.drop(slices.IndexFunc(b.waiting, func(e entry) bool { return e.ID != b.sending }))
	}
	return lost
}

// drop takes out a message that nobody will get.
func (b *box) drop(i int) {
	gone := b.waiting[i].Lost + 1
	b.waiting = slices.Delete(b.waiting, i, i+1)
	if i < len(b.waiting) {
		b.waiting[i].Lost += gone
	}
}

// restore puts what an earlier run left before everything else.
func (b *box) restore(old []entry, now time.Time) (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range old {
		old[i].since = now
	}
	b.waiting = slices.Concat(old, b.waiting)
	return b.shrink()
}

// first returns the message to send and how long to wait with it; not ok: none waits.
// Those that are too old are given up.
func (b *box) first(now time.Time) (e entry, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 && b.waiting[0].waited(now) > keepFor {
		b.giveUp(0, fmt.Errorf("it could not be sent for %s: %w", span(keepFor), orUnknown(b.err)))
	}
	if len(b.waiting) == 0 {
		return entry{}, 0, false
	}
	if wait = b.next.Sub(now); wait > 0 {
		return b.waiting[0], wait, true
	}
	b.sending = b.waiting[0].ID
	return b.waiting[0], 0, true
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("the daemon was off")
	}
	return err
}

func (b *box) giveUp(i int, why error) {
	b.gaveUp++
	b.why = why
	b.drop(i)
}

// sent notes that the message of that id has been sent; again reports whether it ended
// a failure.
func (b *box) sent(id string, now time.Time) (again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(e entry) bool { return e.ID == id })
	again = b.failures > 0
	b.sending, b.failures, b.failing, b.err, b.gaveUp, b.why = "", 0, time.Time{}, nil, 0, nil
	b.next, b.bidden = now.Add(gap), false
	return again
}

// failed notes that the message of that id could not be sent. begins reports whether
// all was well before, over whether the message is given up.
func (b *box) failed(id string, err error, now time.Time) (begins, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	begins = b.failures == 0
	if begins {
		b.failing = now
	}
	b.sending, b.err, b.bidden = "", err, false
	wait := min(firstWait<<min(b.failures, 10), lastWait)
	wait += time.Duration(float64(wait) * b.spread() / 5)
	b.failures++
	var no refusal
	if errors.As(err, &no) {
		b.bidden = no.after > 0
		wait = max(wait, min(time.Duration(no.after)*time.Second, lastWait))
	}
	b.next = now.Add(wait)
	i := slices.IndexFunc(b.waiting, func(e entry) bool { return e.ID == id })
	if i < 0 || !no.message {
		return begins, false
	}
	if b.waiting[i].refused++; b.waiting[i].refused < refusals {
		return begins, false
	}
	b.giveUp(i, err)
	return begins, true
}

// hangs notes that an attempt does not end even when its time is over.
func (b *box) hangs(err error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; b.failures == 0 {
		b.failing = now
	}
	b.failures++
}

// hurry has the next attempt made at once.
func (b *box) hurry() {
	b.mu.Lock()
	b.next, b.bidden = time.Time{}, false
	b.mu.Unlock()
	b.poke()
}

// saved returns what is to be on disk.
func (b *box) saved(now time.Time) []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.waiting)
	for i := range out {
		out[i].Waited = out[i].waited(now)
	}
	return out
}

// trouble says who is not reached, and since when; "": all is well, or it has not
// lasted.
func (b *box) trouble(now time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := ""
	if b.failures > 0 && now.Sub(b.failing) >= tellAfter {
		text = fmt.Sprintf("cannot tell %s since %s (%v); %s", b.name, b.failing.Format("2006-01-02 15:04 MST"), b.err, count(len(b.waiting), "waits", "wait"))
	}
	if b.gaveUp > 0 {
		gone := fmt.Sprintf("%s given up", count(b.gaveUp, "was", "were"))
		if text == "" {
			return fmt.Sprintf("of what %s should be told %s (%v)", b.name, gone, b.why)
		}
		text += ", " + gone
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 message " + one
	}
	return fmt.Sprintf("%d messages %s", n, many)
}
