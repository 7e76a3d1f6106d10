package line

import (
	"fmt"
	"strings"
	"time"
)

// Inputs returns the level of every input in words: "CTS low, DSR low, DCD high, RI low".
func (ls Lines) Inputs() string { return ls.levels(Inputs) }

// Outputs returns the level of both outputs in words: "DTR high, RTS low".
func (ls Lines) Outputs() string { return ls.levels(Outputs) }

func (ls Lines) levels(which Lines) string {
	var texts []string
	which.each(func(one Lines, name string) {
		texts = append(texts, name+" "+highOrLow(Term{Low: ls&one == 0}))
	})
	return strings.Join(texts, ", ")
}

// String tells what happened: "CTS rose, DCD fell".
func (c Change) String() string {
	if c.Err != nil {
		return c.Err.Error()
	}
	var texts []string
	(c.Rose() | c.Fell()).each(func(one Lines, name string) {
		how := "fell"
		if c.Rose()&one != 0 {
			how = "rose"
		}
		texts = append(texts, name+" "+how)
	})
	switch {
	case c.Pulses == 1:
		texts = append(texts, "a pulse, over before it could be read")
	case c.Pulses > 1:
		texts = append(texts, fmt.Sprintf("%d changes, over before they could be read", c.Pulses))
	}
	return strings.Join(texts, ", ")
}

// Says puts into words what the cable makes of these levels now.
func (c Cable) Says(in Lines) string {
	s := c.Decode(in)
	if s.Blind {
		return "not known: " + s.Reason
	}
	var words []string
	for _, w := range []struct {
		yes  bool
		text string
	}{
		{!s.OnBattery, "on mains"}, {s.OnBattery, "on battery"},
		{s.Low && s.OnBattery, "battery low"}, {s.Low && !s.OnBattery, "the battery is worn"},
		{s.Replace, "replace the battery"}, {s.Bypass, "on bypass"},
	} {
		if w.yes {
			words = append(words, w.text)
		}
	}
	return strings.Join(words, ", ")
}

// Since writes the time between two changes for people, to the millisecond while
// that says something.
func Since(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// OpenWarning says what an open of the port may do on the cables in question, for the
// person who has to allow it, a paragraph each. hold is how the outputs stand then.
// Nothing: it can do no harm.
func OpenWarning(cables []Cable, hold Lines) []string {
	pulsed, held := KilledAt(cables, Outputs), KilledAt(cables, hold)
	if len(pulsed)+len(held) == 0 {
		return nil
	}
	warning := []string{"Linux raises DTR and RTS for about a millisecond whenever a serial port is opened; nothing can prevent that. " +
		"The lines are then held at " + hold.Outputs() + "."}
	if len(pulsed) > 0 {
		warning = append(warning, fmt.Sprintf("Both high is what switches the UPS off on %s. Nearly every UPS wants that for seconds, and obeys only while it is on battery.", NameAll(pulsed, "and")))
	}
	if len(held) > 0 {
		warning = append(warning, fmt.Sprintf("On battery, %s for some seconds is what switches the UPS off on %s.", hold.Outputs(), NameAll(held, "and")))
	}
	then := "So the UPS should be on mains now."
	if len(cables) > 1 {
		then += " Until its cable is known, nothing should live on its outlets that must not lose power, this machine included."
	}
	return append(warning, then)
}

// NameAll lists cables for people, "and" or "or" before the last, the rest counted
// where there are many.
func NameAll(cables []Cable, joint string) string {
	const most = 6
	var names []string
	for _, c := range cables {
		names = append(names, c.Name)
	}
	if len(names) > most+1 {
		names = append(names[:most:most], fmt.Sprintf("%d more", len(names)-most))
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " " + joint + " " + names[n-1]
	}
	return strings.Join(names, "")
}
