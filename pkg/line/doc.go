// Package line reads and drives the modem lines of a serial port as a UPS's cable
// uses them. It hides the operating system's serial layer: a [Cable] (data) says
// which line means what, a [Watcher] keeps one port open and delivers [Sample]s.
//
// A Watcher's port belongs to the goroutine in Run alone; Samples may be received
// by one other. A Cable is a value and the catalogue never changes, so both may be
// used from anywhere.
//
// It won't decide anything: [Cable.Decode] says what the wires say, package power
// what to believe. And nothing in it asserts a kill by itself: outputs stand at the
// cable's idle levels from the first ioctl after an open, and stay there when the
// port is closed. Whoever opens a port by [OpenPort] has a [Handle] and answers for
// what is done with it.
package line
