package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

const (
	// armLimit bounds the arming of all ways back, which stands before the power-off: a
	// kernel takes milliseconds.
	armLimit = 3 * time.Second
	// alarmFirst and alarmLast bound how long after its commit a machine's own clock
	// switches it on. In between it is the age of the outage: a machine that comes up on
	// battery goes down again, and each time costs twice as long.
	alarmFirst, alarmLast = 15 * time.Minute, 6 * time.Hour
)

// Waking is how this machine gets itself woken. Any call may hang.
type Waking interface {
	// Check reports whether this machine could be armed to be woken that way, one of
	// [wake] method. Ways that need nothing here are well.
	Check(way string) error
	// Arm has this machine be woken that way, by its clock after that time.
	Arm(way string, after time.Duration) error
	// Disarm takes back an alarm of the clock that comes within that time.
	Disarm(within time.Duration) error
}

// waking is the ways back. It is for Run's goroutine.
type waking struct {
	cannot map[string]string // by way: why it can't be armed
	commit int               // the last commit that armed it, counted as hookRuns does
	after  time.Duration     // what its clock was set to
	done   chan struct{}     // closed when the arming has ended
}

// ways returns how this machine comes back, but for those ways that can't be armed.
func (d *Driver) ways() []string {
	return slices.DeleteFunc(slices.Clone(d.o.Settings.Wake), func(w string) bool { return d.waking.cannot[w] != "" })
}

// checkWays asks of each way back whether it could be armed; a look that hangs says
// nothing.
func (d *Driver) checkWays(ctx context.Context) map[string]string {
	cannot := map[string]string{}
	if d.o.Waking == nil {
		return cannot
	}
	for _, w := range d.o.Settings.Wake {
		err := within(ctx, func(context.Context) error { return d.o.Waking.Check(w) })
		if err != nil && !errors.Is(err, errLate) {
			cannot[w] = err.Error()
		}
	}
	return cannot
}

// defaultWake is how a machine may come back where nobody says.
func defaultWake() []string { return []string{policy.WakeCycle, policy.WakeWOL} }

// concludeWays makes a problem of ways that the owner asked for and that can't be armed.
// Of the default ones it is enough that this machine doesn't claim to have them: a guest's
// card knows no magic packet, and where that leaves no way at all the master says so.
func (d *Driver) concludeWays(cannot map[string]string) {
	d.waking.cannot = cannot
	var all []string
	for _, w := range d.o.Settings.Wake {
		if cannot[w] != "" && !slices.Equal(d.o.Settings.Wake, defaultWake()) {
			all = append(all, w+": "+cannot[w])
		}
	}
	d.problem(health.WakeUnarmed, strings.Join(all, "; "))
}

// arming returns what arms the ways back before a power-off, once for each commit; nil:
// there is nothing to arm. A machine that never goes needs none.
func (d *Driver) arming() func() {
	w := &d.waking
	if d.o.Waking == nil || len(d.o.Settings.Wake) == 0 || d.o.Settings.dryRun() || w.commit == d.hooks.commits {
		return nil
	}
	after := alarmFirst
	if s := d.real(); s.Outage != "" {
		after = min(max(after, d.o.Now().Sub(s.OutageSince)), alarmLast)
	}
	done := make(chan struct{})
	w.commit, w.after, w.done = d.hooks.commits, after, done
	ways := d.o.Settings.Wake
	return func() {
		result := make(chan error, 1)
		go func() {
			defer close(done)
			result <- arm(d.o.Waking, ways, after)
		}()
		late := time.NewTimer(armLimit)
		defer late.Stop()
		select {
		case err := <-result:
			if err != nil {
				d.o.Log.Warn("cannot arm a way back", "node", d.o.Name, "err", err)
			}
		case <-late.C:
			d.o.Log.Warn("arming the ways back takes too long; the power-off does not wait for it", "node", d.o.Name)
		}
	}
}

func arm(w Waking, ways []string, after time.Duration) error {
	var errs []error
	for _, way := range ways {
		if err := w.Arm(way, after); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", way, err))
		}
	}
	return errors.Join(errs...)
}

// disarm takes the alarm back that the last commit has set: this machine stays up.
func (d *Driver) disarm() {
	w := &d.waking
	if w.done == nil || !slices.Contains(d.o.Settings.Wake, policy.WakeRTC) {
		return
	}
	done, after := w.done, w.after
	w.done = nil
	go func() {
		select {
		case <-done:
		case <-d.over:
			return
		}
		if err := d.o.Waking.Disarm(after); err != nil {
			d.o.Log.Warn("cannot take the clock's alarm back: this machine may switch itself on", "node", d.o.Name, "err", err)
		}
	}()
}
