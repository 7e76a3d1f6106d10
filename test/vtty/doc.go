// Package vtty gives an unmodified program a serial port: a pseudo-terminal with
// modem lines, and a UPS wired to it.
//
// A pty refuses the modem-line ioctls. So every program is started through a
// re-executed child that installs a seccomp filter and hands its listener to the
// test; the test then answers the calls on the port's behalf as the kernel's
// serial core does: DTR and RTS raised by every open unless the port stands at
// B0, dropped by setting B0 and by the last close where HUPCL is set, input edges
// counted and told to TIOCMIWAIT (of RI only the trailing edge, as a 16550 does),
// breaks and transmitted bytes seen. Everything lands in a log of [Event]s. By the
// same means a [Disk] is full, read-only or hangs for one program and for nobody
// else. It needs no root, Linux 5.14 or later, and a test binary whose TestMain
// calls [Main] first.
//
// A [TTY] and a [UPS] may be used from several goroutines. Programs of one or
// several commands may hold the same port at once. What a call on the port costs
// is some 0.1 ms, so this is no place to measure a driver. It won't emulate baud
// rates, received data, or a terminal's line discipline beyond what the pty does.
package vtty
