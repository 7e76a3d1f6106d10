package cut

import (
	"errors"
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// reopen is when a port that can't be opened, or was lost, is tried again.
	reopen = time.Second
	// callLimit is how long a call at a port is waited for. One takes 5 µs on a PC's UART
	// and a transfer on USB. It is less than the 5 s after which the kernel gives up a USB
	// device that is silent (USB_CTRL_GET_TIMEOUT, linux/usb.h): the others don't wait.
	callLimit = time.Second
	// cacheLimit is how long a driver that answers from a memory that starts empty is
	// given to fill it. Empty reads as on battery on many cables.
	cacheLimit = 3 * time.Second
	// burst is how much is sent at a time by a cable that cuts by data: what 9600 baud
	// carry in two steps, so that the wire is never idle.
	burst = 96
)

var (
	// errNoTransmitter: the system's backend can't use the data wire.
	errNoTransmitter = errors.New("this system can't send on the port's data wire")
	// errLate: nobody knows what a call that hung has done.
	errLate = errors.New("its driver answers again")
)

// port is one UPS's port: opened, read, driven, and opened again when it is lost. Its
// calls are made beside its user, one at a time; while one hangs the port is no port.
type port struct {
	Sealed
	open   line.Opener
	say    func(string)
	handle line.Handle              // nil: not open
	late   <-chan outcome[answered] // a call that has not ended in time; nil: none is under way
	unsure bool                     // it may have set lines that nobody knows of
	retry  power.Uptime
	cached power.Uptime // till then a memory is not believed; 0: it is
	first  line.Lines
	err    string // what was said of it last
}

// answered is what a call at a port returns.
type answered struct {
	levels line.Lines
	opened line.Opened
}

// read opens the port if it has to and reads it.
func (p *port) read(now power.Uptime) Reading {
	if !p.free(now) || p.handle == nil && !p.reopened(now) {
		return Reading{}
	}
	a, err := p.call(func(h line.Handle) (a answered, err error) {
		a.levels, err = h.Levels()
		return a, err
	})
	if err != nil {
		p.lose(now, err)
		return Reading{}
	}
	if p.cached != 0 {
		if a.levels&line.Inputs == p.first && now.Before(p.cached) {
			return Reading{}
		}
		p.cached = 0
	}
	return Reading{Open: true, Signals: p.Cable.Decode(a.levels)}
}

// free reports whether no call is under way. What one that hung has opened is taken; a
// port at which it did anything else is opened anew.
func (p *port) free(now power.Uptime) bool {
	if p.late == nil {
		return true
	}
	select {
	case o := <-p.late:
		p.late = nil
		switch {
		case o.v.opened.Port != nil:
			p.take(now, o.v)
		case o.err != nil:
			p.lose(now, o.err)
		case p.handle != nil:
			p.lose(now, errLate)
		}
		return p.late == nil
	default:
		return false
	}
}

// call makes a call. If it hangs it is left behind, and the port with it.
func (p *port) call(f func(h line.Handle) (answered, error)) (answered, error) {
	h := p.handle // the call may outlast it
	c := begin(func() (answered, error) { return f(h) })
	o, ended := await(c, callLimit)
	if !ended {
		p.late, p.unsure = c, true
		return answered{}, fmt.Errorf("%w from %s for %v", errHangs, p.Port, callLimit)
	}
	return o.v, o.err
}

func (p *port) reopened(now power.Uptime) bool {
	if now.Before(p.retry) {
		return false
	}
	open, path, cable := p.open, p.Port, p.Cable
	a, err := p.call(func(line.Handle) (a answered, err error) {
		if a.opened, err = open(path, cable); err == nil && a.opened.Cache != "" {
			a.levels, _ = a.opened.Port.Levels() // if it can't be read that is found out at once
		}
		return a, err
	})
	if err != nil {
		p.lose(now, err)
		return false
	}
	p.take(now, a)
	return true
}

// take takes what was opened.
func (p *port) take(now power.Uptime, a answered) {
	p.handle, p.cached, p.unsure, p.err = a.opened.Port, 0, false, ""
	if a.opened.Cache != "" {
		p.cached, p.first = now.Add(cacheLimit), a.levels&line.Inputs
	}
}

// lose closes what can't be used any more.
func (p *port) lose(now power.Uptime, err error) {
	if text := err.Error(); text != p.err {
		p.err = text
		p.say("UPS " + p.Name + ": " + text)
	}
	p.close()
	p.retry = now.Add(reopen)
}

// close closes the port, unless a call hangs there: then when that ends.
func (p *port) close() {
	if p.handle == nil || p.late != nil {
		return
	}
	unsure, cable := p.unsure, p.Cable
	_, _ = p.call(func(h line.Handle) (answered, error) {
		if unsure { // nobody may be there to open it anew
			_ = act(h, cable, Action{Do: Release, Levels: cable.Idle()})
		}
		h.Close()
		return answered{}, nil
	})
	p.handle = nil
}

// do carries out an action at this port. If that fails the port is opened anew, at
// its idle levels, and the Cutter sees that nothing lasts.
func (p *port) do(now power.Uptime, a Action) {
	if p.handle == nil || p.late != nil {
		return
	}
	cable := p.Cable
	_, err := p.call(func(h line.Handle) (answered, error) { return answered{}, act(h, cable, a) })
	if err != nil {
		p.lose(now, err)
	}
}

// act carries out an action at an open port.
func act(h line.Handle, c line.Cable, a Action) error {
	wire, ok := h.(line.Transmitter)
	switch {
	case a.Do == Assert:
		return h.Drive(a.Levels)
	case a.Do == Release && c.Kill.Break > 0 && ok:
		return errors.Join(wire.Break(false), h.Drive(a.Levels))
	case a.Do == Release && len(c.Kill.Send) > 0 && ok:
		return errors.Join(wire.Flush(), h.Drive(a.Levels)) // seconds of it may be queued
	case a.Do == Release:
		return h.Drive(a.Levels)
	case !ok:
		return errNoTransmitter
	case a.Do == Break:
		return wire.Break(true)
	}
	var data []byte
	for len(data) < burst {
		data = append(data, a.Data...)
	}
	_, err := wire.Send(data)
	return err
}
