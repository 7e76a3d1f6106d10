// Package history says what happened: the events that the master writes into its
// journal, and the stories of outages that are folded from them and from nothing else.
//
// What it hides is how a story grows out of events in which links break, machines boot
// and masters are killed. It is pure: no clock, no disk, no goroutine. [Event] lies on
// disk, so its fields keep their meaning for ever.
package history
