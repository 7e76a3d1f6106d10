package line

import (
	"fmt"
	"strings"
)

// Lines is a set of modem lines, one bit each, set when the line is high (EIA
// positive voltage). The bits are the kernel's own (asm-generic/termios.h).
type Lines uint16

// The lines of a DB9 or DB25 serial port that modem control knows.
const (
	DTR Lines = 0x002 // output, pin 4 of a DB9
	RTS Lines = 0x004 // output, pin 7
	CTS Lines = 0x020 // input, pin 8
	DCD Lines = 0x040 // input, pin 1
	RI  Lines = 0x080 // input, pin 9
	DSR Lines = 0x100 // input, pin 6

	// Inputs and Outputs are the lines of each direction.
	Inputs  = CTS | DCD | RI | DSR
	Outputs = DTR | RTS
)

// each calls f for every known line in ls, outputs first, in the order in which
// people name them.
func (ls Lines) each(f func(one Lines, name string)) {
	for _, l := range [...]struct {
		bit  Lines
		name string
	}{{DTR, "DTR"}, {RTS, "RTS"}, {CTS, "CTS"}, {DSR, "DSR"}, {DCD, "DCD"}, {RI, "RI"}} {
		if ls&l.bit != 0 {
			f(l.bit, l.name)
		}
	}
}

// Names returns the names of the lines that are high, outputs first. It is never
// nil, so that no line high is an empty list in JSON.
func (ls Lines) Names() []string {
	names := []string{}
	ls.each(func(_ Lines, name string) { names = append(names, name) })
	return names
}

// String returns the names of the lines that are high, "none" if there are none.
func (ls Lines) String() string {
	if ls&(Inputs|Outputs) == 0 {
		return "none"
	}
	return strings.Join(ls.Names(), " ")
}

// Term is one line with the polarity in which it means something: "CTS" means
// "when CTS is high", "!CTS" means "when CTS is low". The zero value is no wire.
type Term struct {
	Line Lines // exactly one bit, or 0: not wired or not known
	Low  bool  // true: means something when low
}

// ParseTerm reads a term as owners write it: a line's name, after "!" if it means
// something when low. The empty string is the zero Term.
func ParseTerm(s string) (Term, error) {
	if s == "" {
		return Term{}, nil
	}
	name, low := strings.CutPrefix(s, "!")
	t := Term{Low: low}
	(Inputs | Outputs).each(func(one Lines, n string) {
		if n == name {
			t.Line = one
		}
	})
	if t.Line == 0 {
		return Term{}, fmt.Errorf("%q is not a line; write DTR, RTS, CTS, DSR, DCD or RI, after \"!\" when it means something while low", s)
	}
	return t, nil
}

// String returns the term as [ParseTerm] reads it.
func (t Term) String() string {
	switch {
	case t.Line == 0:
		return ""
	case t.Low:
		return "!" + t.Line.String()
	default:
		return t.Line.String()
	}
}

// Wired reports whether the term names a line at all.
func (t Term) Wired() bool { return t.Line != 0 }

// In reports whether the term holds at these levels. An unwired term never does.
func (t Term) In(levels Lines) bool {
	return t.Line != 0 && (levels&t.Line == 0) == t.Low
}

// met reports whether there is at least one term and all of them hold.
func met(terms []Term, levels Lines) bool {
	for _, t := range terms {
		if !t.In(levels) {
			return false
		}
	}
	return len(terms) > 0
}

// high returns the lines that the terms want high.
func high(terms []Term) Lines {
	var ls Lines
	for _, t := range terms {
		if !t.Low {
			ls |= t.Line
		}
	}
	return ls
}
