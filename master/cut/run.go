package cut

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// step is how often the lines are read: a flap of 4 Hz stands for 125 ms.
	step = 50 * time.Millisecond
	// sayEvery is how often somebody in front of the machine is told what it waits for.
	sayEvery = 30 * time.Second
)

// System is the machine under the late unit.
type System interface {
	// Quiet writes everything to the disks and makes them read-only, as far as that
	// goes. It says what it could not do.
	Quiet() error
	// Reboot restarts the machine and does not return, unless that failed.
	Reboot() error
}

// Options is what a [Run] is made of.
type Options struct {
	Seal   Seal // good here and now
	Within time.Duration
	Now    func() power.Uptime
	Open   line.Opener // nil: this system's serial ports
	System System      // nil: this one
	Say    func(string)
}

// Run cuts what the seal says, and returns when the machine may go down: it lived on
// no UPS that is cut, or Within is over (0: never). Where it is to come up again it
// reboots it; then only an error returns. When ctx ends, every line is released.
func Run(ctx context.Context, o Options) error {
	if o.Open == nil {
		o.Open = line.OpenPort
	}
	if o.System == nil {
		o.System = thisSystem()
	}
	var end power.Uptime
	if o.Within > 0 {
		end = o.Now().Add(o.Within)
	}
	r := &runner{Options: o, cutter: New(o.Seal, end)}
	for _, u := range o.Seal.UPS {
		r.ports = append(r.ports, &port{Sealed: u, open: o.Open, say: o.Say})
	}
	defer r.close()
	if err := o.System.Quiet(); err != nil {
		o.Say(err.Error())
	}
	return r.loop(ctx)
}

// runner is one Run.
type runner struct {
	Options
	cutter *Cutter
	ports  []*port
	said   string
	saidAt power.Uptime
}

func (r *runner) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.New("ended from outside; nothing more is cut")
		case <-timer.C:
		}
		now := r.Now()
		readings := make([]Reading, len(r.ports))
		for i, p := range r.ports {
			readings[i] = p.read(now)
		}
		for _, a := range r.cutter.Step(r.Now(), readings) {
			if over, err := r.do(a); over {
				return err
			}
		}
		r.tell(now)
		wait := step
		if at, ok := r.cutter.Deadline(now); ok {
			wait = min(wait, max(0, at.Sub(r.Now())))
		}
		timer.Reset(wait)
	}
}

// do carries out one action; over: it was the last.
func (r *runner) do(a Action) (over bool, err error) {
	switch {
	case a.Do == Halt:
		r.Say(a.Why)
		return true, nil
	case a.Do == Reboot:
		r.Say(a.Why)
		// Every line is idle by now. The ports stay open: without one some cables let
		// the UPS take an open TxD for an order (APC 940-0095A).
		if err := r.System.Reboot(); err != nil {
			return true, fmt.Errorf("cannot reboot: %w; the machine goes down, and somebody has to switch it on", err)
		}
		return true, nil
	}
	p := r.ports[a.UPS]
	p.do(r.Now(), a) // first: who reads this may have no time left
	if a.Why != "" {
		r.Say(a.Why)
	}
	return false, nil
}

// tell says what is waited for when that changes, and again and again.
func (r *runner) tell(now power.Uptime) {
	says := r.cutter.Says(now)
	if says == r.said && now.Sub(r.saidAt) < sayEvery {
		return
	}
	r.said, r.saidAt = says, now
	r.Say(says)
}

// close releases every line that is not idle and closes the ports.
func (r *runner) close() {
	for i, p := range r.ports {
		if p.handle == nil {
			continue
		}
		if r.cutter.units[i].phase == killing {
			_ = p.act(Action{Do: Release, Levels: p.Cable.Idle()}) // nobody is left to tell
		}
		p.handle.Close()
		p.handle = nil
	}
}
