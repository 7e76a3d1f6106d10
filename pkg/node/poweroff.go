package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

const (
	// powerOffLimit bounds one attempt from outside; every executor has a shorter
	// limit of its own, so this is for one that breaks its word. With stopGrace it
	// stays below the minute after which the machine itself stops waiting.
	powerOffLimit = 40 * time.Second
	// stopGrace is how long an executor that was told to stop may take to say
	// whether the system accepted.
	stopGrace = 10 * time.Second
	// cancelLimit bounds the taking back.
	cancelLimit = 30 * time.Second
)

// errCancelled is why a power-off ends that was taken back.
var errCancelled = errors.New("power is back")

// asked is a power-off under way.
type asked struct {
	attempt int
	by      shutdown.Executor
	cancel  context.CancelCauseFunc
}

// powerOff asks for the power-off and answers with Accepted or Refused. Its
// context survives the end of Run's: the service manager stopping us is the
// shutdown.
func (d *Driver) powerOff(a policy.PowerOff) {
	by := d.o.Chain[a.Attempt%len(d.o.Chain)]
	ctx, cancel := context.WithCancelCause(context.Background())
	asking := &asked{a.Attempt, by, cancel}
	d.asked = asking
	d.o.Log.Warn("power-off", "node", d.o.Name, "method", by.String(), "attempt", a.Attempt, "reason", a.Reason)
	d.record(recordPowerOff, powerOffRecord{Node: d.o.Name, Method: by.String(), Attempt: a.Attempt, What: "asked", Why: a.Reason})
	records, arm := pending(d.records), d.arming()
	d.flying.Go(func() {
		defer cancel(nil)
		awaitRecords(records)
		if arm != nil && ctx.Err() == nil {
			arm()
		}
		err := ask(ctx, by)
		if err != nil {
			d.o.Log.Error("power-off refused", "node", d.o.Name, "method", by.String(), "attempt", a.Attempt, "err", err)
		} else {
			d.o.Log.Info("power-off accepted", "node", d.o.Name, "method", by.String(), "attempt", a.Attempt)
		}
		d.post(func() { d.answered(asking, err) })
	})
}

// ask is PowerOff with a limit that holds whatever the executor does.
func ask(ctx context.Context, by shutdown.Executor) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, powerOffLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- by.PowerOff(limited) }()
	select {
	case err := <-done:
		return err
	case <-limited.Done():
	}
	// It was told to stop; only its own word says whether the system accepted.
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return fmt.Errorf("no answer for %s", powerOffLimit+stopGrace)
	}
}

func (d *Driver) answered(a *asked, err error) {
	if d.asked == a {
		d.asked = nil
	}
	method := a.by.String()
	r := powerOffRecord{Node: d.o.Name, Method: method, Attempt: a.attempt, What: "accepted"}
	if err != nil {
		r.What, r.Why = "refused", err.Error()
		if errors.Is(err, errCancelled) {
			r.What = "cancelled"
		}
	}
	d.record(recordPowerOff, r)
	if err != nil {
		d.step(policy.Refused{Attempt: a.attempt, Method: method, Why: err.Error()})
		return
	}
	d.step(policy.Accepted{Attempt: a.attempt, Method: method})
}

// cancelPowerOff takes back what was asked for, as far as there is a way.
func (d *Driver) cancelPowerOff() {
	d.disarm()
	if d.asked == nil {
		return
	}
	a := d.asked
	d.asked = nil
	a.cancel(errCancelled)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), cancelLimit)
		defer cancel()
		if err := a.by.Cancel(ctx); err != nil {
			d.o.Log.Warn("cannot take the power-off back", "node", d.o.Name, "method", a.by.String(), "err", err)
		}
	}()
}

// check asks every power-off method whether it would work, and looks at the hooks'
// files.
func (d *Driver) check(ctx context.Context) {
	if d.checking {
		return
	}
	d.checking = true
	go func() {
		found := d.inspect(ctx)
		d.post(func() {
			d.checking = false
			if ctx.Err() == nil {
				d.conclude(found)
			}
		})
	}()
}
