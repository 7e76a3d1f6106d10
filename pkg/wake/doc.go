// Package wake switches machines on, and prepares this one to be switched on. It hides
// the magic packet and the ways it takes, the network card's and the clock's own settings.
//
// [Send] wakes others by Wake-on-LAN; a [Machine] is this one: what it can be woken by,
// and how that is armed. Nothing here keeps a state; all may be used by several
// goroutines, and blocks for no longer than the kernel needs.
//
// It decides nothing and tries nothing twice: who is woken, when, and how often is the
// master's business. Whether a machine woke up can't be seen from here.
package wake
