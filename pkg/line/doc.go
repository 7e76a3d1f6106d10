// Package line reads and drives the modem lines of a serial port as a UPS's cable
// uses them. It hides the operating system's serial layer: a [Cable] (data) says
// which line means what, a [Watcher] keeps one port open and delivers [Sample]s.
//
// A kill level is asserted by nothing in this package's watching half: outputs
// stand at the cable's idle levels from the first ioctl that changes anything.
package line
