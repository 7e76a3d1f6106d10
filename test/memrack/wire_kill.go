package memrack

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// Order is an order to cut the load as it lay on a wire, whether the UPS heeds it or not.
type Order struct {
	From time.Time
	To   time.Time // zero: it goes on
	// Mains: the UPS was on mains when it began; it heeds none then.
	Mains bool
	// Apart: the plug was out, so nobody heard it.
	Apart bool
}

var _ line.Transmitter = (*wirePort)(nil)

// Orders returns every order to cut the load that a program gave.
func (w *Wire) Orders() []Order {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.orders)
}

// order notes that an order begins or ends. What the kernel or the loss of power does to
// the outputs is none: a cable by which that would cut the load is not made so. w.mu is
// held.
func (w *Wire) order(on bool) {
	now, last := time.Now(), len(w.orders)-1
	going := last >= 0 && w.orders[last].To.IsZero()
	switch {
	case on && !going:
		w.orders = append(w.orders, Order{From: now, Mains: !w.battery, Apart: w.gone || w.parted&line.Inputs == line.Inputs})
	case !on && going:
		w.orders[last].To = now
	}
}

// kills reports whether outputs like these are the cable's order. It is written apart
// from what gives it.
func (w *Wire) kills(levels line.Lines) bool {
	for _, t := range w.cable.Kill.Set {
		if levels&t.Line != 0 == t.Low {
			return false
		}
	}
	return len(w.cable.Kill.Set) > 0
}

// wants is for how long an order must last to be heeded.
func (w *Wire) wants() time.Duration { return w.cable.Kill.Hold + w.cable.Kill.Break }

// Break implements line.Transmitter.
func (p *wirePort) Break(on bool) error { return p.data(on && p.w.cable.Kill.Break > 0) }

// Send implements line.Transmitter.
func (p *wirePort) Send(b []byte) (int, error) {
	return len(b), p.data(len(p.w.cable.Kill.Send) > 0)
}

// Flush implements line.Transmitter.
func (p *wirePort) Flush() error { return p.data(false) }

func (p *wirePort) data(on bool) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.pass()
	if p.lost {
		return line.ErrLost
	}
	p.w.order(on)
	return nil
}
