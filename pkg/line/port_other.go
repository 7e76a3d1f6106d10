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
func openPort(o WatcherOptions, file *os.File) (opened, error) {
	if file != nil {
		_ = file.Close()
	}
	idle := o.Cable.Idle()
	port, err := serial.Open(o.Path, &serial.Mode{
		BaudRate:          9600,
		InitialStatusBits: &serial.ModemOutputBits{DTR: idle&DTR != 0, RTS: idle&RTS != 0},
	})
	if err != nil {
		return opened{}, explainOpen(o.Path, err)
	}
	p := &otherPort{port: port, levels: idle}
	if _, err := port.GetModemStatusBits(); err != nil {
		p.close()
		return opened{}, cannotOpen(o.Path, ErrNoModemLines, "use a port with the full set of wires")
	}
	none := make(chan struct{})
	close(none)
	return opened{port: p, hints: none}, nil
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

func (p *otherPort) get() (Lines, error) {
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

func (p *otherPort) counters() (counters, bool) { return counters{}, false }

func (p *otherPort) idle(levels Lines) error {
	p.levels = levels & Outputs
	return errors.Join(p.port.SetDTR(levels&DTR != 0), p.port.SetRTS(levels&RTS != 0))
}

func (p *otherPort) close() { _ = p.port.Close() }
