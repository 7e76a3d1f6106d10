package line

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// out2 gates a PC UART's interrupts (TIOCM_OUT2, asm/termios.h; kernel
// 8250_port.c): TIOCMSET without it would leave TIOCMIWAIT asleep for ever.
// Other drivers ignore it.
const out2 = 0x4000

// modemBits pairs lines with this architecture's bits, which differ on MIPS.
func modemBits() [6]struct {
	line Lines
	bit  int
} {
	return [...]struct {
		line Lines
		bit  int
	}{{DTR, unix.TIOCM_DTR}, {RTS, unix.TIOCM_RTS}, {CTS, unix.TIOCM_CTS}, {DSR, unix.TIOCM_DSR}, {DCD, unix.TIOCM_CD}, {RI, unix.TIOCM_RI}}
}

func toBits(ls Lines) (bits int) {
	for _, m := range modemBits() {
		if ls&m.line != 0 {
			bits |= m.bit
		}
	}
	return bits
}

func fromBits(bits int) (ls Lines) {
	for _, m := range modemBits() {
		if bits&m.bit != 0 {
			ls |= m.line
		}
	}
	return ls
}

// outputBits is what TIOCMSET is given for these outputs.
func outputBits(ls Lines) int { return toBits(ls&Outputs) | out2 }

// linuxPort is a tty by ioctl. Everything but the waiter belongs to its user.
type linuxPort struct {
	fd     int
	null   int   // /dev/null, kept for close, which may not fail for want of a descriptor
	counts bool  // the driver counts
	out    Lines // what the outputs were set to

	hints  chan struct{}
	closed chan struct{} // closed by Close
	tid    chan int      // the waiter's thread
	ended  chan struct{} // closed when the waiter has ended
}

// openPort takes over file if it still is the port, else opens the path. From the
// first ioctl on the outputs stand at the cable's idle levels.
func openPort(o WatcherOptions, file *os.File) (Opened, error) {
	if file != nil {
		p, err := adopt(o, file)
		if err == nil {
			return Opened{Port: p, Hints: p.hints}, nil
		}
		o.Log.Info("the stored port is of no use; opening it anew", "port", o.Path, "err", err)
	}
	if err := checkPath(o.Path); err != nil {
		return Opened{}, err
	}
	fd, err := openTTY(o.Path)
	if err != nil {
		return Opened{}, explainOpen(o.Path, err)
	}
	p, err := setup(fd, o.Cable, o.Cable.Parkable())
	if err != nil {
		return Opened{}, explainSetup(o.Path, err)
	}
	p.lend(o.OnOpen, o.Path)
	if os.Geteuid() == 0 { // TIOCEXCL keeps root out neither way: tell at least
		if h := holder(o.Path); h != nil {
			o.Log.Warn("another process has the port open too; stop it, or keep it off this port", "port", o.Path, "pid", h.PID, "process", h.Name)
		}
	}
	return Opened{Port: p, Hints: p.hints, Cache: cachingDriver(o.Path)}, nil
}

func openTTY(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// adopt takes over a descriptor that was open all the time. Its speed is left as
// it is: to park a port that nobody closed would drop its lines for nothing.
func adopt(o WatcherOptions, file *os.File) (*linuxPort, error) {
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var dupErr error
	err = conn.Control(func(raw uintptr) {
		fd, dupErr = unix.FcntlInt(raw, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return nil, err
	}
	var held, named unix.Stat_t
	if unix.Fstat(fd, &held) == nil && unix.Stat(o.Path, &named) == nil && held.Rdev != named.Rdev {
		_ = unix.Close(fd)
		return nil, errors.New("it is another port now")
	}
	return setup(fd, o.Cable, false)
}

// setup brings an open descriptor to the state in which it is watched, and owns
// it from here on. The first call on it sets the idle levels: the kernel raised
// DTR and RTS when it was opened, and one of them may cut the load.
func setup(fd int, cable Cable, park bool) (_ *linuxPort, err error) {
	p := &linuxPort{fd: fd, null: -1,
		hints: make(chan struct{}), closed: make(chan struct{}), tid: make(chan int, 1), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = unix.Close(p.fd)
			_ = unix.Close(p.null)
		}
	}()
	if err := p.Drive(cable.Idle()); err != nil {
		return nil, notLines(fd, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	if want := wanted(*t, park); want != *t {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &want); err != nil {
			return nil, fmt.Errorf("TCSETS: %w", err)
		}
		// Going to B0 lowers both lines and coming from it raises them.
		if err := p.Drive(cable.Idle()); err != nil {
			return nil, err
		}
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		return nil, fmt.Errorf("TIOCEXCL: %w", err)
	}
	if _, err := p.Levels(); err != nil {
		return nil, notLines(fd, err)
	}
	_, p.counts = p.readCounters()
	if p.null, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	go p.wait(toBits(cable.Reads()))
	return p, nil
}

// notLines tells a tty whose driver has no modem lines from what is no tty.
func notLines(fd int, err error) error {
	if !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return ErrNotTTY
	}
	return ErrNoModemLines
}

// wanted returns t as a port that is only looked at should have it: raw, no line
// obeys the driver, and no line falls at the last close. With park it stands at
// B0, at which an open raises nothing (kernel tty_port_block_til_ready).
func wanted(t unix.Termios, park bool) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.HUPCL | unix.CRTSCTS
	t.Cflag |= unix.CS8 | unix.CLOCAL | unix.CREAD
	if park {
		t.Cflag &^= unix.CBAUD // B0 is 0
	}
	return t
}

// lend gives store a descriptor of its own for as long as the call lasts.
func (p *linuxPort) lend(store func(*os.File), path string) {
	if store == nil {
		return
	}
	if f := p.duplicate(path); f != nil {
		defer f.Close()
		store(f)
	}
}

// duplicate returns another descriptor of the open port, nil if none is to be had.
func (p *linuxPort) duplicate(path string) *os.File {
	fd, err := unix.FcntlInt(uintptr(p.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), path)
}

// wait turns TIOCMIWAIT into hints until the port is closed or the driver can't.
// The next wait begins when the hint has been taken, so a driver that does not
// wait can't make this spin.
func (p *linuxPort) wait(mask int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	defer close(p.hints)
	p.tid <- unix.Gettid()
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCMIWAIT, uintptr(mask))
		switch errno {
		case 0:
		case unix.EINTR:
			continue
		default: // ENOTTY, EINVAL: not this driver. EIO: unplugged. Polling goes on.
			return
		}
		select {
		case p.hints <- struct{}{}:
		case <-p.closed:
			return
		}
	}
}

// Levels implements Handle.
func (p *linuxPort) Levels() (Lines, error) {
	bits, err := unix.IoctlGetInt(p.fd, unix.TIOCMGET)
	switch err {
	case nil:
		return fromBits(bits), nil
	case unix.ENOTTY, unix.EINVAL:
		return 0, err
	default: // EIO after a hangup (tty_io.c, hung_up_tty_ioctl); ENODEV and others by driver
		return 0, fmt.Errorf("%w: TIOCMGET: %w; check the adapter and its plug", ErrLost, err)
	}
}

// Counters implements Handle.
func (p *linuxPort) Counters() (Counters, bool) {
	if !p.counts {
		return Counters{}, false
	}
	return p.readCounters()
}

func (p *linuxPort) readCounters() (Counters, bool) {
	var c [20]int32 // struct serial_icounter_struct, linux/serial.h
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&c)))
	if errno != 0 {
		return Counters{}, false
	}
	return Counters{uint32(c[0]), uint32(c[1]), uint32(c[2]), uint32(c[3])}, true
}

// Drive implements Handle.
func (p *linuxPort) Drive(outputs Lines) error {
	p.out = outputs
	return unix.IoctlSetPointerInt(p.fd, unix.TIOCMSET, outputBits(outputs))
}

// Close ends the waiter before the descriptor's number can be used again. A close
// does not wake TIOCMIWAIT and a signal only restarts it, so the number is first
// made to mean /dev/null, on which the restarted call fails.
func (p *linuxPort) Close() {
	close(p.closed)
	_ = unix.Dup3(p.null, p.fd, unix.O_CLOEXEC)
	tid := <-p.tid
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for ended := false; !ended; {
		_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
		select {
		case <-p.ended:
			ended = true
		case <-again.C:
		}
	}
	_ = unix.Close(p.fd)
	_ = unix.Close(p.null)
}
