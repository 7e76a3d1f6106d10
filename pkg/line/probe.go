package line

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// ProbeOptions says which port to look at.
type ProbeOptions struct {
	Path string
	// Cable is the one that is plugged in: its idle levels are held. The zero value:
	// not known, and Hold says what is held.
	Cable Cable
	// Hold are the outputs to hold high while the cable is not known. An open raises
	// both for a moment whatever stands here.
	Hold Lines
	Log  *slog.Logger
}

// Change is one reading of a probed port that differs from the last.
type Change struct {
	At time.Time // when it was read
	// Was and Lines are the lines that were high before and are now, outputs
	// included. At the first reading both are the same.
	Was, Lines Lines
	// Pulses is how many changes were over before they could be read.
	Pulses uint32
	// Err is nil, or says why nothing can be read for now.
	Err error
}

// Rose and Fell return the lines that did.
func (c Change) Rose() Lines { return c.Lines &^ c.Was }

// Fell returns the lines that fell.
func (c Change) Fell() Lines { return c.Was &^ c.Lines }

// Probe keeps a port open for somebody who wants to see what its lines do, every
// change of every input, before anybody knows the cable. It opens the port once: one
// that gets lost is not opened again, because each open moves the outputs.
type Probe struct {
	w       *Watcher
	changes chan Change
	ended   chan struct{}
}

// NewProbe returns a Probe that does nothing until Run.
func NewProbe(o ProbeOptions) *Probe {
	w := NewWatcher(WatcherOptions{Path: o.Path, Cable: probing(o), Log: o.Log})
	return newProbe(w)
}

func newProbe(w *Watcher) *Probe {
	w.orders = make(chan driveOrder)
	return &Probe{w: w, changes: make(chan Change, 1024), ended: make(chan struct{})}
}

// probing returns a cable that reads every input, holds what the options want held,
// and is parked where that is harmless. Nothing is ever decoded by it.
func probing(o ProbeOptions) Cable {
	c := Cable{
		Name:      o.Cable.Name,
		OnBattery: Term{Line: CTS}, LowBattery: Term{Line: DCD}, Replace: Term{Line: RI}, Bypass: Term{Line: DSR},
		Drive: o.Cable.Drive, Kill: o.Cable.Kill,
	}
	if o.Cable.OnBattery.Wired() {
		return c
	}
	c.Name, c.Drive = "not known", holding(o.Hold)
	if c.Idle() != 0 {
		// Parking lets both outputs fall for a moment, which cuts the load on some
		// cables. This says that it may, so that the port is not parked.
		c.Kill.Set = []Term{{Line: DTR, Low: true}, {Line: RTS, Low: true}}
	}
	return c
}

// holding returns drive terms that put both outputs to these levels.
func holding(levels Lines) []Term {
	return []Term{{Line: DTR, Low: levels&DTR == 0}, {Line: RTS, Low: levels&RTS == 0}}
}

// Changes returns the channel of changes, the first reading being the first of
// them. It is closed when Run returns. Who stops receiving stops the reading.
func (p *Probe) Changes() <-chan Change { return p.changes }

// Run opens the port and reads it until ctx is done, which is no error, or until the
// port can't be opened or is lost. The outputs are left as they are.
func (p *Probe) Run(ctx context.Context) error {
	defer close(p.changes)
	defer close(p.ended)
	var last Sample
	seen := false // a reading was told
	p.w.trace = func(s Sample) {
		c := Change{At: time.Now(), Was: last.Lines, Lines: s.Lines, Pulses: s.Pulses - last.Pulses, Err: s.Err}
		if s.Err == nil {
			if !seen {
				c.Was = s.Lines
			}
			last, seen = s, true
		}
		select {
		case p.changes <- c:
		case <-ctx.Done():
		}
	}
	err := p.w.session(ctx, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// errProbeEnded is what Drive says of a port that is not open any more.
var errProbeEnded = errors.New("the port is not open")

// Drive puts the outputs to other levels, in one step, without opening anew. It may
// cut the load: see [Cable.KilledBy].
func (p *Probe) Drive(ctx context.Context, levels Lines) error {
	done := make(chan error, 1)
	select {
	case p.w.orders <- driveOrder{levels & Outputs, done}:
	case <-p.ended:
		return errProbeEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-done
}
