package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

const (
	// checkLimit bounds the check of one method or hook.
	checkLimit = 30 * time.Second
	// examineLimit bounds all the checks of an examination: somebody waits for it,
	// and a bus that takes longer is not one to rely on.
	examineLimit = 3 * time.Second
)

var (
	errReality = errors.New("the power failed, or this machine was told to go")
	errEarnest = errors.New("this node is on battery or going down; try again when the power is back")
	errLate    = errors.New("the check has not ended")
)

// Examination is what came of examining this machine.
type Examination struct {
	// Cannot says why it could not power off now; empty: it could.
	Cannot string
	// Ran are the drill hooks that were run, in the order of the file.
	Ran []HookRun
	// NotRun says why drill hooks that were asked for were not run, or not all of
	// them; empty: all were.
	NotRun string
}

// HookRun is how one hook ended.
type HookRun struct {
	Name string
	Err  error // nil: well
	Took time.Duration
}

// Examine asks every power-off method whether it would work now, and with drill
// runs the hooks that are marked for it, one after the other. The machine goes on as
// if nobody asked (law 11): what it must do in earnest ends the drill at once. It
// blocks until all has ended or ctx has; callers may come side by side, but there is
// one drill at a time.
func (d *Driver) Examine(ctx context.Context, drill bool) Examination {
	limited, cancel := context.WithTimeout(ctx, examineLimit)
	defer cancel()
	found := d.inspect(limited)
	e := Examination{Cannot: found.cannot()}
	if d.o.Settings.dryRun() {
		e.Cannot = `it never goes: method = ["none"] in [shutdown] is a dry run`
	}
	if !found.late() { // a limit this short proves no problem, nor the end of one
		d.inform(ctx, func() { d.conclude(found) })
	}
	if drill {
		e.Ran, e.NotRun = d.runDrill(ctx)
	}
	return e
}

// inform lets Run's goroutine do f and show what came of it, and waits until it has.
func (d *Driver) inform(ctx context.Context, f func()) {
	done := make(chan struct{})
	d.post(func() {
		defer close(done)
		f()
		d.tellProblems()
		d.publish()
	})
	select {
	case <-done:
	case <-d.over:
	case <-ctx.Done():
	}
}

// inspection is what a look at everything that going down needs has found.
type inspection struct {
	methods []error // one for each of the chain; nil: it would work
	hooks   []error // one for each hook; nil: it may be run
	advice  []error // one for each of the chain; nil: none
	ways    map[string]string
}

// inspect looks at all of it side by side. Each look may hang, and then that is what
// was found.
func (d *Driver) inspect(ctx context.Context) inspection {
	chain, hooks := d.o.Chain, d.o.Settings.Hooks
	found := inspection{methods: make([]error, len(chain)), hooks: make([]error, len(hooks)), advice: make([]error, len(chain))}
	var wg sync.WaitGroup
	wg.Go(func() { found.ways = d.checkWays(ctx) })
	for i, x := range chain {
		wg.Go(func() { found.methods[i] = within(ctx, x.Check) })
		if a, ok := x.(shutdown.Advisor); ok {
			wg.Go(func() {
				advise := func(ctx context.Context) error { return a.Advise(ctx, d.o.Settings.StopTime) }
				if err := within(ctx, advise); !errors.Is(err, errLate) {
					found.advice[i] = err
				}
			})
		}
	}
	for i, h := range hooks {
		wg.Go(func() { found.hooks[i] = within(ctx, func(context.Context) error { return d.vetted(h) }) })
	}
	wg.Wait()
	return found
}

// cannot says why no method would work; empty: one would.
func (i inspection) cannot() string {
	for _, err := range i.methods {
		if err == nil {
			return ""
		}
	}
	return texts(i.methods)
}

// late reports whether anything has not answered.
func (i inspection) late() bool {
	return errors.Is(errors.Join(errors.Join(i.methods...), errors.Join(i.hooks...)), errLate)
}

// texts joins what the errors say.
func texts(errs []error) string {
	var all []string
	for _, err := range errs {
		if err != nil {
			all = append(all, err.Error())
		}
	}
	return strings.Join(all, "; ")
}

// conclude makes problems of what was found, and ends those that are over.
func (d *Driver) conclude(found inspection) {
	text := texts(found.methods)
	if text != "" && found.cannot() == "" {
		text += "; the other methods of [shutdown] will be tried"
	}
	d.problem(health.CannotPowerOff, text)
	d.problem(health.InhibitorLimit, texts(found.advice))
	d.concludeWays(found.ways)
	for i, err := range found.hooks {
		text := ""
		if err != nil {
			text = "the hook " + d.o.Settings.Hooks[i].name() + ": " + err.Error()
		}
		d.hookFault(fault{i, true}, text)
	}
}

// within is f with a limit that holds whatever f does.
func within(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- f(limited) }()
	select {
	case err := <-done:
		return err
	case <-limited.Done():
		return fmt.Errorf("%w for %s", errLate, time.Since(start).Round(time.Millisecond))
	}
}

// runDrill runs the drill hooks until the last has ended, ctx has, or the machine
// has better to do.
func (d *Driver) runDrill(ctx context.Context) (ran []HookRun, notRun string) {
	var hooks []int
	for i, h := range d.o.Settings.Hooks {
		if h.Drill {
			hooks = append(hooks, i)
		}
	}
	if len(hooks) == 0 {
		return nil, ""
	}
	ctx, end, err := d.beginDrill(ctx)
	if err != nil {
		return nil, err.Error()
	}
	defer end()
	for n, i := range hooks {
		event := d.o.Settings.Hooks[i].On[0]
		ran = append(ran, d.runDrillHook(ctx, i, event, d.drillEnv(event)))
		if ctx.Err() == nil {
			continue
		}
		notRun = "the drill was ended: " + context.Cause(ctx).Error()
		if left := len(hooks) - n - 1; left > 0 {
			notRun += fmt.Sprintf("; hooks left out: %d", left)
		}
		break
	}
	return ran, notRun
}

// runDrillHook runs one hook as an event would.
func (d *Driver) runDrillHook(ctx context.Context, i int, event policy.Event, env []string) HookRun {
	h := d.o.Settings.Hooks[i]
	d.o.Log.Info("drill hook", "node", d.o.Name, "event", event, "hook", h.name())
	start := time.Now()
	out, err := tryHook(ctx, h, env, d.vetted, d.o.Exec)
	r := HookRun{Name: h.name(), Err: err, Took: time.Since(start)}
	d.o.Log.Info("drill hook ended", "node", d.o.Name, "hook", r.Name, "took", r.Took.String(), "output", strings.TrimSpace(out), "err", err)
	rec := hookRecord{Node: d.o.Name, Event: string(event), Hook: r.Name, Drill: true}
	text := ""
	if err != nil {
		rec.Error = err.Error()
		text = fmt.Sprintf("the hook %s failed in a drill: %v", r.Name, err)
		if last := lastLine(out); last != "" { // for whoever asked, and for nobody else
			r.Err = fmt.Errorf("%w: %s", err, last)
		}
	}
	ended := ctx.Err() != nil // then it says nothing of the hook
	d.inform(context.WithoutCancel(ctx), func() {
		d.record(recordHook, rec)
		if !ended {
			d.hookFault(fault{hook: i}, text)
		}
	})
	return r
}

// lastLine returns the last line of a hook's output in which something is said.
func lastLine(out string) string {
	out = strings.TrimSpace(out)
	return strings.TrimSpace(out[strings.LastIndexByte(out, '\n')+1:])
}

// drillEnv is the environment of a hook in a drill: the power is what it is, and
// only the event is pretended.
func (d *Driver) drillEnv(event policy.Event) []string {
	s := d.Snapshot()
	return HookEnv{
		Event: event, State: s.View.Power.State.Status.String(), Phase: s.View.Phase.String(), Node: s.Name, UPS: s.UPS,
		Text: "a drill: nothing has happened", Drill: true,
	}.Environ()
}

// drills is what Run's goroutine and the one drill know of each other. Driver.mu
// guards it.
type drills struct {
	end  context.CancelCauseFunc // of the one that runs; nil: none does
	real bool                    // this machine is on battery, or going
}

// beginDrill refuses a drill on battery, on the way down and beside another. The
// context it returns ends when the machine has to do something in earnest.
func (d *Driver) beginDrill(ctx context.Context) (context.Context, func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.drills.real:
		return nil, nil, errEarnest
	case d.drills.end != nil:
		return nil, nil, errors.New("another drill runs on this node; try again when it has ended")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	d.drills.end = cancel
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.drills.end = nil
		cancel(nil)
	}, nil
}

// inEarnest reports whether this machine has better to do than a drill. It is for
// Run's goroutine.
func (d *Driver) inEarnest() bool {
	switch d.m.View().Phase {
	case policy.Grace, policy.Waiting, policy.Committed, policy.Done:
		return true
	default:
		return d.real().Known().OnBattery()
	}
}

// note takes whether it is in earnest now; d.mu is held.
func (s *drills) note(real bool) {
	if s.real = real; real && s.end != nil {
		s.end(errReality)
	}
}
