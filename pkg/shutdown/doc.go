// Package shutdown knows the ways to ask the operating system for a power-off.
// Each is an [Executor]; nothing here decides that one is due.
//
// Executors hold no state and may be used by several goroutines. Every method
// blocks, and returns an error within its hard limit even if the bus or the
// command hangs. Commands run by argv and never by a shell, in a process group of
// their own, which is killed as a whole when the limit is up or the context ends:
// so give a context that a SIGTERM to this process does not end, since the
// service manager stopping us is the shutdown. No way is tried twice and none
// stands in for another; the caller has the chain.
package shutdown
