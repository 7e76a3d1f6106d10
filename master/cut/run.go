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
	// sayLimit is how long a word may take: a console that is stopped takes none.
	sayLimit = time.Second
	// quietLimit is how long the disks are waited for; systemd gives its own last sync
	// as much (shutdown.c, SYNC_PROGRESS_ATTEMPTS times SYNC_TIMEOUT_USEC).
	quietLimit = 30 * time.Second
	// anew is when it begins anew after a fault of its own.
	anew = time.Second
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
//
// No call that hangs in the kernel holds it up, and no fault of its own ends it: it
// begins anew, and if it still does after [ownBlind], it reboots as if it were blind.
func Run(ctx context.Context, o Options) error {
	if o.Open == nil {
		o.Open = line.OpenPort
	}
	if o.System == nil {
		o.System = thisSystem()
	}
	r := &runner{Options: o, began: time.Now()}
	for _, u := range o.Seal.UPS {
		r.ports = append(r.ports, &port{Sealed: u, open: o.Open, say: r.say})
	}
	defer r.close()
	if err := bounded(quietLimit, o.System.Quiet); err != nil {
		r.say(err.Error())
	}
	var first time.Time
	for {
		fault, err := r.attempt(ctx)
		if fault == nil {
			return err
		}
		r.say(fmt.Sprintf("a fault of this program: %v; it begins anew", fault))
		if first.IsZero() {
			first = time.Now()
		}
		switch pause := r.release(); {
		case time.Since(first) >= ownBlind:
			return r.reboot()
		case o.Within > 0 && time.Since(r.began)+pause >= o.Within:
			return fmt.Errorf("nothing more is cut: %v", fault)
		case !sleep(ctx, pause):
			return errEnded
		}
	}
}

// errEnded is why it ends although it has not done what it is for.
var errEnded = errors.New("ended from outside; nothing more is cut")

// sleep sleeps, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// runner is one Run.
type runner struct {
	Options
	began  time.Time
	cutter *Cutter
	ports  []*port
	said   string
	saidAt power.Uptime
	deaf   <-chan outcome[struct{}] // a word that nobody has taken yet
}

// attempt runs until the end, or until a fault of this program.
func (r *runner) attempt(ctx context.Context) (fault any, err error) {
	defer func() { fault = recover() }()
	var end power.Uptime
	if r.Within > 0 {
		end = r.Now().Add(r.Within - time.Since(r.began))
	}
	r.cutter = New(r.Seal, end)
	return nil, r.loop(ctx)
}

func (r *runner) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return errEnded
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
	switch a.Do {
	case Halt:
		r.say(a.Why)
		return true, nil
	case Reboot:
		r.say(a.Why)
		return true, r.reboot()
	case Assert, Break, Send, Release:
	}
	p := r.ports[a.UPS]
	p.do(r.Now(), a) // first: who reads this may have no time left
	r.cutter.Begun(a.UPS, r.Now())
	if a.Why != "" {
		r.say(a.Why)
	}
	return false, nil
}

// reboot returns only if that is refused. Every line is idle by now. The ports stay
// open: without one some cables let the UPS take an open TxD for an order (APC
// 940-0095A).
func (r *runner) reboot() error {
	if err := r.System.Reboot(); err != nil {
		return fmt.Errorf("cannot reboot: %w; the machine goes down, and somebody has to switch it on", err)
	}
	return nil
}

// say says something, and waits for nobody to take it.
func (r *runner) say(text string) {
	if r.deaf != nil {
		select {
		case <-r.deaf:
		default:
			return
		}
	}
	c := begin(func() (struct{}, error) {
		r.Say(text)
		return struct{}{}, nil
	})
	r.deaf = nil
	if _, ended := await(c, sayLimit); !ended {
		r.deaf = c
	}
}

// tell says what is waited for when that changes, and again and again.
func (r *runner) tell(now power.Uptime) {
	says := r.cutter.Says(now)
	if says == r.said && now.Sub(r.saidAt) < sayEvery {
		return
	}
	r.said, r.saidAt = says, now
	r.say(says)
}

// release releases every line that is not idle, and returns when it may begin anew: a
// UPS that was told may obey for so long, and would cut a machine that boots.
func (r *runner) release() (pause time.Duration) {
	pause = anew
	for i, p := range r.ports {
		if r.cutter == nil {
			break
		}
		u := &r.cutter.units[i]
		if u.phase == killing {
			p.do(0, Action{Do: Release, Levels: p.Cable.Idle()})
		}
		if u.Own && u.phase != waiting {
			pause = max(pause, u.Cable.Kill.Delay)
		}
	}
	return pause
}

// close releases every line that is not idle and closes the ports.
func (r *runner) close() {
	r.release()
	for _, p := range r.ports {
		if p.free(0) {
			p.close()
		}
	}
}
