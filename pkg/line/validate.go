package line

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// FieldError is one thing wrong with a cable: which field, what is wrong with it
// and what to write.
type FieldError struct {
	Field   string // as owners write it, for example "kill.set"
	Problem string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// maxHold bounds every time of a kill. The slowest known UPS wants 75 s
// (CyberPower SL); an hour of it is a slip of the pen.
const maxHold = 10 * time.Minute

// checker collects what is wrong.
type checker struct{ errs []error }

func (k *checker) say(field, format string, args ...any) {
	k.errs = append(k.errs, &FieldError{field, fmt.Sprintf(format, args...)})
}

// Validate returns everything that is wrong with the cable, joined, each a
// [*FieldError]; nil if it can be used. It doesn't ask for a name.
func (c Cable) Validate() error {
	k := &checker{}
	c.checkInputs(k)
	k.levels("drive", c.Drive, Outputs, "an output: DTR or RTS")
	k.levels("loops", c.Loops, Inputs, "an input: CTS, DSR, DCD or RI")
	c.checkKill(k)
	return errors.Join(k.errs...)
}

func (c Cable) checkInputs(k *checker) {
	if !c.OnBattery.Wired() {
		k.say("on_battery", "missing; write the input that says so, for example \"CTS\", or \"!CTS\" when it says so while low")
	}
	means := map[Lines]string{}
	for _, f := range []struct {
		name string
		term Term
	}{
		{"on_battery", c.OnBattery}, {"low_battery", c.LowBattery}, {"present", c.Present},
		{"replace", c.Replace}, {"bypass", c.Bypass},
	} {
		if !f.term.Wired() {
			continue
		}
		if !oneOf(f.term.Line, Inputs) {
			k.say(f.name, "%s is not an input; write CTS, DSR, DCD or RI", f.term.Line)
			continue
		}
		if other, taken := means[f.term.Line]; taken {
			k.say(f.name, "%s is %s already; one line means one thing", f.term.Line, other)
		}
		means[f.term.Line] = f.name
	}
}

// levels checks a list of levels: each line of the right direction, named once.
func (k *checker) levels(field string, terms []Term, allowed Lines, write string) {
	var seen Lines
	for _, t := range terms {
		switch {
		case !oneOf(t.Line, allowed):
			k.say(field, "%q can't stand here; write %s", t.String(), write)
		case seen&t.Line != 0:
			k.say(field, "%s is named twice; name it once, as %s or as !%s", t.Line, t.Line, t.Line)
		}
		seen |= t.Line
	}
}

func (c Cable) checkKill(k *checker) {
	kill := c.Kill
	k.levels("kill.set", kill.Set, Outputs, "an output: DTR or RTS")
	if met(kill.Set, c.Idle()) {
		k.say("kill.set", "the cable stands so all the time by drive, an output not named there being low; write in drive the levels that do not cut the load")
	}
	kinds := 0
	for _, used := range []bool{len(kill.Set) > 0, kill.Break != 0, len(kill.Send) > 0} {
		if used {
			kinds++
		}
	}
	if kinds > 1 {
		k.say("kill", "more than one of set, break and send; write the one that cuts the load")
	}
	for _, d := range []struct {
		name string
		time time.Duration
	}{{"kill.hold", kill.Hold}, {"kill.delay", kill.Delay}, {"kill.break", kill.Break}} {
		if d.time < 0 || d.time > maxHold {
			k.say(d.name, "%v is out of range; write 0s to %v", d.time, maxHold)
		}
	}
	switch {
	case kinds == 0 && (kill.Hold != 0 || kill.Delay != 0):
		k.say("kill", "says how long but not what; write set, break or send, or leave kill out")
	case kill.Break != 0 && kill.Hold != 0:
		k.say("kill.hold", "means nothing beside break; write the time in break alone")
	case kinds > 0 && kill.Break == 0 && kill.Hold == 0:
		k.say("kill.hold", "missing; write how long the UPS wants it, for example \"5s\"")
	}
}

// oneOf reports whether l is exactly one line of the set.
func oneOf(l, set Lines) bool {
	return slices.Contains([]Lines{DTR, RTS, CTS, DCD, RI, DSR}, l) && l&set != 0
}
