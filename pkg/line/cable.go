package line

import "time"

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

// Term is one line with the polarity in which it means something: "CTS" means
// "when CTS is high", "!CTS" means "when CTS is low". The zero value is no wire.
type Term struct {
	Line Lines // exactly one bit, or 0: not wired or not known
	Low  bool  // true: means something when low
}

// Kill is what makes the UPS cut the load. At most one of Set, Break and Send is
// used; all empty: this cable can't cut the load.
type Kill struct {
	Set   []Term        // output levels to assert
	Break time.Duration // break on TxD for this long
	Send  []byte        // bytes to transmit, again and again for Hold
	Hold  time.Duration // how long to assert Set or to go on with Send
	Delay time.Duration // how long the UPS may take to obey
}

// Cable says which line means what, with which polarity, which outputs are held
// from open on, and what cuts the load. Data, never code.
type Cable struct {
	Name    string
	Aliases []string // every other row of the sources that means the same thing
	Title   string
	Source  string
	Notes   string

	OnBattery  Term
	LowBattery Term
	Present    Term
	Replace    Term
	Bypass     Term
	Drive      []Term // output levels held from open on; an output not named is low
	Kill       Kill
}
