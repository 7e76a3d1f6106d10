// Package vm proves what containers can't show, on virtual machines that boot a kernel of
// their own: a Debian with systemd or sysvinit, with the programs, units and scripts of
// this tree installed, whose UPS hangs on a real UART. That its file systems are really
// made read-only before the load is cut, that it really powers off or reboots, and who
// made it do so, is read off the machine from outside: its console, its disk, what QEMU
// tells of it, and the modem lines. It has no code but its tests.
//
// `make vm` runs it, and `go test -timeout 30m ./test/vm -vm`; without that flag nothing is done.
// It needs root for making disks, an amd64, Linux 5.14, qemu-system-x86_64
// (qemu-system-x86), mke2fs, debugfs, dumpe2fs and e2fsck (e2fsprogs), systemctl, and
// debootstrap once, as test/debian says; with it a kernel is fetched, which is Debian's for
// the cloud. KVM is not used.
//
// The second port's modem lines are those of a tty of
// [github.com/lastwatt/lastwatt/test/vtty], which QEMU, an unmodified program, takes for
// a serial port of its own. Limits: QEMU reads the lines every 10 ms, raises DTR and RTS
// when the machine is switched on and leaves them when it resets, and sends a break of its
// own length. A disk that loses its power keeps what it was given; what the machine had
// not written yet is lost.
//
// Disks have no names, so that the kernel removes them when the test ends, however it
// ends. Nothing waits for time to pass: tests wait for what they want to see, with a
// deadline.
package vm
