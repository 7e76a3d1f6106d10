// Package daemon is what a long-running program needs around its own work: named
// tasks that start and stop together, signals, the service manager's protocol
// (readiness, watchdog, file descriptor store), one instance by a lock, the clock
// that counts time asleep, and the logger. [RunGenerations] replaces all of the tasks
// by those of a new configuration, on SIGHUP and when nothing is at stake.
//
// It hides sd_notify(3), sd_listen_fds(3), flock(2) and clock_gettime(2). Run owns
// the tasks' goroutines and returns when all of them have ended. A [Clock] may be
// used by any number of goroutines. The service manager's protocol comes in by
// environment variables, which this package therefore reads itself; it reads no
// other, parses no flags and never exits the process.
package daemon
