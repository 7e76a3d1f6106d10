//go:build !linux

package line

import (
	"errors"
	"fmt"
	"os"

	"go.bug.st/serial"
)

// otherPort is a port by go.bug.st/serial: no waiting, no counting, and outputs
// that can be set but not read.
type otherPort struct {
	port   serial.Port
	levels Lines // what the outputs were set to
}

// openPort opens the path. The library sets the outputs as early as the system
// lets it; a stored file is of no use to it.
func openPort(o WatcherOptions, file *os.File) (Opened, error) {
	if file != nil {
		_ = file.Close()
	}
	idle := o.Cable.Idle()
	port, err := serial.Open(o.Path, &serial.Mode{
		BaudRate:          9600,
		InitialStatusBits: &serial.ModemOutputBits{DTR: idle&DTR != 0, RTS: idle&RTS != 0},
	})
	if err != nil {
		return Opened{}, explainOpen(o.Path, err)
	}
	p := &otherPort{port: port, levels: idle}
	if _, err := port.GetModemStatusBits(); err != nil {
		p.Close()
		return Opened{}, cannotOpen(o.Path, ErrNoModemLines, "use a port with the full set of wires")
	}
	none := make(chan struct{})
	close(none)
	return Opened{Port: p, Hints: none}, nil
}

func explainOpen(path string, err error) error {
	var e *serial.PortError
	if !errors.As(err, &e) {
		return cannotOpen(path, err, "check the adapter and the path")
	}
	switch e.Code() {
	case serial.PortNotFound:
		return cannotOpen(path, ErrMissing, "plug the adapter in, or write the path of another port")
	case serial.PortBusy:
		return cannotOpen(path, &HeldError{}, "stop that program, or keep it off this port")
	case serial.PermissionDenied:
		return cannotOpen(path, ErrPermission, "run as a user who may open it")
	case serial.InvalidSerialPort:
		return cannotOpen(path, ErrNotTTY, "write the path of a serial port")
	}
	return cannotOpen(path, err, "check the adapter and the path")
}

// Levels implements Handle.
func (p *otherPort) Levels() (Lines, error) {
	bits, err := p.port.GetModemStatusBits()
	if err != nil {
		return 0, fmt.Errorf("%w: %w; check the adapter and its plug", ErrLost, err)
	}
	lines := p.levels
	for _, b := range []struct {
		high bool
		line Lines
	}{{bits.CTS, CTS}, {bits.DSR, DSR}, {bits.DCD, DCD}, {bits.RI, RI}} {
		if b.high {
			lines |= b.line
		}
	}
	return lines, nil
}

// Counters implements Handle.
func (p *otherPort) Counters() (Counters, bool) { return Counters{}, false }

// Drive implements Handle.
func (p *otherPort) Drive(outputs Lines) error {
	p.levels = outputs & Outputs
	return errors.Join(p.port.SetDTR(outputs&DTR != 0), p.port.SetRTS(outputs&RTS != 0))
}

// Close implements Handle.
func (p *otherPort) Close() { _ = p.port.Close() }
