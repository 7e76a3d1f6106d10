package line

import (
	"fmt"

	"golang.org/x/sys/unix"
)

var _ Transmitter = (*linuxPort)(nil)

// Break implements Transmitter. Not tcsendbreak: what its length means differs from
// system to system (tcsendbreak(3)).
func (p *linuxPort) Break(on bool) error {
	req, name := uint(unix.TIOCCBRK), "TIOCCBRK"
	if on {
		if err := p.speed(); err != nil {
			return err
		}
		req, name = unix.TIOCSBRK, "TIOCSBRK"
	}
	if err := unix.IoctlSetInt(p.fd, req, 0); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Send implements Transmitter.
func (p *linuxPort) Send(b []byte) (int, error) {
	if err := p.speed(); err != nil {
		return 0, err
	}
	n, err := unix.Write(p.fd, b)
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil // it has enough to send already
	}
	return max(n, 0), err
}

// Flush implements Transmitter.
func (p *linuxPort) Flush() error {
	if err := unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCOFLUSH); err != nil {
		return fmt.Errorf("TCFLSH: %w", err)
	}
	return nil
}

// speed makes a parked port able to transmit: at B0 nothing is sent. 9600 is the
// speed that serial ports stand at when nobody set one (serial_core.c,
// init_termios), so it is what every such UPS was tried with.
func (p *linuxPort) speed() error {
	t, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("TCGETS: %w", err)
	}
	if t.Cflag&unix.CBAUD != unix.B0 {
		return nil
	}
	t.Cflag |= unix.B9600
	if err := unix.IoctlSetTermios(p.fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("TCSETS: %w", err)
	}
	return p.Drive(p.out) // leaving B0 raised both outputs
}
