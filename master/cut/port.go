package cut

import (
	"errors"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// reopen is when a port that can't be opened, or was lost, is tried again.
	reopen = time.Second
	// cacheLimit is how long a driver that answers from a memory that starts empty is
	// given to fill it. Empty reads as on battery on many cables.
	cacheLimit = 3 * time.Second
	// burst is how much is sent at a time by a cable that cuts by data: what 9600 baud
	// carry in two steps, so that the wire is never idle.
	burst = 96
)

// errNoTransmitter: the system's backend can't use the data wire.
var errNoTransmitter = errors.New("this system can't send on the port's data wire")

// port is one UPS's port: opened, read, driven, and opened again when it is lost.
type port struct {
	Sealed
	open   line.Opener
	say    func(string)
	handle line.Handle // nil: not open
	retry  power.Uptime
	cached power.Uptime // till then a memory is not believed; 0: it is
	first  line.Lines
	err    string // what was said of it last
}

// read opens the port if it has to and reads it.
func (p *port) read(now power.Uptime) Reading {
	if p.handle == nil && !p.reopened(now) {
		return Reading{}
	}
	levels, err := p.handle.Levels()
	if err != nil {
		p.lose(now, err)
		return Reading{}
	}
	if p.cached != 0 {
		if levels&line.Inputs == p.first && now.Before(p.cached) {
			return Reading{}
		}
		p.cached = 0
	}
	return Reading{Open: true, Signals: p.Cable.Decode(levels)}
}

func (p *port) reopened(now power.Uptime) bool {
	if now.Before(p.retry) {
		return false
	}
	o, err := p.open(p.Port, p.Cable)
	if err != nil {
		p.lose(now, err)
		return false
	}
	p.handle, p.cached, p.err = o.Port, 0, ""
	if o.Cache != "" {
		p.cached = now.Add(cacheLimit)
		if levels, err := p.handle.Levels(); err == nil {
			p.first = levels & line.Inputs
		}
	}
	return true
}

// lose closes what can't be used any more.
func (p *port) lose(now power.Uptime, err error) {
	if p.handle != nil {
		p.handle.Close()
		p.handle = nil
	}
	p.retry = now.Add(reopen)
	if text := err.Error(); text != p.err {
		p.err = text
		p.say("UPS " + p.Name + ": " + text)
	}
}

// do carries out an action at this port. If that fails the port is opened anew, at
// its idle levels, and the Cutter sees that nothing lasts.
func (p *port) do(now power.Uptime, a Action) {
	if p.handle == nil {
		return
	}
	if err := p.act(a); err != nil {
		p.lose(now, err)
	}
}

func (p *port) act(a Action) error {
	wire, ok := p.handle.(line.Transmitter)
	switch {
	case a.Do == Assert:
		return p.handle.Drive(a.Levels)
	case a.Do == Release && p.Cable.Kill.Break > 0 && ok:
		return errors.Join(wire.Break(false), p.handle.Drive(a.Levels))
	case a.Do == Release && len(p.Cable.Kill.Send) > 0 && ok:
		return errors.Join(wire.Flush(), p.handle.Drive(a.Levels)) // seconds of it may be queued
	case a.Do == Release:
		return p.handle.Drive(a.Levels)
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
