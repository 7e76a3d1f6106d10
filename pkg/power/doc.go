// Package power says what the power is: it turns what a cable's wires say into
// one believed [State] per UPS, keeps the battery's account, and combines several
// feeds into the one a machine lives on.
//
// It is pure: no I/O, no clock, no goroutine, no logger. Every method that needs
// the time is given it as an [Uptime], and the same calls give the same answers.
// Nothing in it is safe for concurrent use: each value has one owner.
// It never decides that a machine goes down; that is package policy.
package power
