package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// How long lines must stand still to be believed, and how long is waited for that.
const (
	still    = time.Second
	flutters = 15 * time.Second
)

// findOut opens the port, if that is allowed, watches what the lines do while the
// owner pulls the plug, and takes what follows from it.
func (w *wizard) findOut(ctx context.Context, named line.Cable) error {
	all := line.Catalogue()
	hold := named.Idle() // none of an unknown one: of all levels that hurts the fewest
	if named.Name != "" {
		all = []line.Cable{named}
	}
	if err := w.mayOpen(ctx, all, hold); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	p := w.o.Probe(line.ProbeOptions{Path: w.plan.port, Cable: named, Hold: hold, Log: w.o.Log})
	e := &eyes{t: w.t, p: p, ended: make(chan error, 1)}
	go func() { e.ended <- p.Run(watching) }()
	defer func() { // the master is to open it next
		stop()
		for range p.Changes() { // until it is closed, and with it the port
		}
	}()
	if err := w.watch(ctx, e, named); err != nil {
		return err
	}
	if err := w.settle(ctx, named, e.seen); err != nil {
		return err
	}
	if e.now&line.Outputs == w.plan.cable.Idle() {
		return nil
	}
	if err := p.Drive(ctx, w.plan.cable.Idle()); err != nil && ctx.Err() == nil {
		w.t.say("The port is gone (%v); the cable is known all the same. Plug the adapter in again.", err)
	}
	return ctx.Err()
}

// mayOpen tells what an open may do, and asks.
func (w *wizard) mayOpen(ctx context.Context, cables []line.Cable, hold line.Lines) error {
	w.t.gap()
	def := "y"
	if warning := line.OpenWarning(cables, hold); len(warning) > 0 {
		def = "n"
		for _, paragraph := range warning {
			w.t.say("%s", paragraph)
		}
	} else {
		w.t.say("Opening the port can't hurt with this cable.")
	}
	ok, err := w.t.confirm(ctx, "Is the UPS on mains, and may the port be opened?", "whether the port may be opened", "--yes-open, or name the cable with --cable", w.o.YesOpen, def)
	if err == nil && !ok {
		err = errors.New("stopped; the port was not opened and nothing was written; with --cable NAME nothing needs to be opened")
	}
	return err
}

// watch looks at the lines step after step until one has moved.
func (w *wizard) watch(ctx context.Context, e *eyes, named line.Cable) error {
	if named.Name != "" {
		return e.pull(ctx)
	}
	tried := false
	for {
		step, more := line.Next(line.Catalogue(), e.seen)
		if !more {
			break
		}
		if err := w.drive(ctx, e, step, &tried); err != nil {
			return err
		}
		look := e.rest
		if step.Pull {
			look = e.pull
		}
		if err := look(ctx); err != nil {
			return err
		}
	}
	if moved, _ := line.Moved(e.seen, line.MainsOut); len(moved) == 0 {
		return errors.New("no line moved, whatever the outputs: is the cable in this port and in the UPS, and is it one with contacts? A UPS that speaks USB or a serial protocol needs another program (NUT knows most of them)")
	}
	return nil
}

// drive brings the outputs to what the step wants, if the owner lets it. tried is set
// once he has allowed to try them on mains.
func (w *wizard) drive(ctx context.Context, e *eyes, s line.Step, tried *bool) error {
	there := e.now&line.Outputs == s.Levels // they are low from the open on
	text := ""
	switch {
	case !s.Pull && there || s.Pull && there && len(s.Kills) == 0:
		return nil
	case !s.Pull && !*tried:
		w.t.gap()
		w.t.say("Many UPSes have no current of their own for their contacts: it comes from the computer, over DTR or RTS. So each is to be set high for two seconds, on mains, to see whether a line answers.")
		if kills := killedByOne(); len(kills) > 0 {
			w.t.say("Warning: on battery, and held for seconds, one of them high switches the UPS off on %s. On mains nearly every UPS ignores it.", line.NameAll(kills, "and"))
		}
		text = "Try DTR, then RTS?"
	case s.Pull && (len(s.Kills) > 0 || s.Levels == line.Outputs):
		w.t.gap()
		w.t.say("Next the plug is to be pulled with %s: %s would answer then.", s.Levels.Outputs(), line.NameAll(s.Reads, "or"))
		if len(s.Kills) > 0 {
			w.t.say("Warning: if it is %s, the UPS switches its outlets off after some seconds of that on battery. Nothing on them may be in need of power, this machine included.", line.NameAll(s.Kills, "or"))
		}
		text = "Go on with the outputs so?"
	}
	if text != "" {
		ok, err := w.t.confirm(ctx, text, "whether to drive the outputs", "--cable NAME", false, "n")
		if err == nil && !ok {
			err = errors.New("stopped; nothing was written. If you know the cable, name it with --cable")
		}
		if err != nil {
			return err
		}
		*tried = true
	}
	if err := e.p.Drive(ctx, s.Levels); err != nil && ctx.Err() == nil {
		return lost(err)
	}
	return ctx.Err()
}

// killedByOne returns the known cables on which one output high cuts the load.
func killedByOne() []line.Cable {
	all := line.Catalogue()
	return append(line.KilledAt(all, line.DTR), line.KilledAt(all, line.RTS)...)
}

// eyes sees what the lines do, and tells the owner.
type eyes struct {
	t      *terminal
	p      Prober
	ended  chan error
	last   time.Time // of the last change that was told
	now    line.Lines
	known  bool // now is
	unsure bool // the driver began without knowing the lines
	told   bool // something has been told since the last question
	alone  bool // nobody was asked to do anything
	seen   []line.Observation
}

// pull has the owner pull the plug, put it back, and make the battery low.
func (e *eyes) pull(ctx context.Context) error {
	if err := e.rest(ctx); err != nil {
		return err
	}
	rest := e.now
	e.t.gap()
	e.t.say("Pull the UPS's mains plug out of the wall now. Enter alone: it is out, and nothing happened.")
	moved, err := e.await(ctx, func() bool { return (e.now^rest)&line.Inputs != 0 })
	if err != nil {
		return err
	}
	e.see(line.MainsOut)
	out := e.now
	if err := e.back(ctx, rest); err != nil || !moved {
		return err
	}
	rest = e.now
	byMains := (out ^ rest) & line.Inputs
	e.t.gap()
	e.t.say("Low battery: has the UPS a test button or switch that makes it say so, or can you wait with the plug out until it does? Do it now. Enter alone: skip it.")
	low, err := e.await(ctx, func() bool { return (e.now^rest)&line.Inputs&^byMains != 0 })
	switch {
	case err != nil:
		return err
	case low:
		e.see(line.BatteryLow)
	case e.now == rest:
		return nil // skipped, and all is as it was
	}
	return e.back(ctx, rest)
}

// rest looks at the lines on mains.
func (e *eyes) rest(ctx context.Context) error {
	if _, err := e.await(ctx, nil); err != nil {
		return err
	}
	e.t.say("On mains, with %s: %s.", e.now.Outputs(), e.now.Inputs())
	e.see(line.AtRest)
	return nil
}

// back has the owner put everything back and notes what rest is then.
func (e *eyes) back(ctx context.Context, rest line.Lines) error {
	e.t.gap()
	e.t.say("Put everything back now: plug in, battery good. Enter alone: it is.")
	if (e.now^rest)&line.Inputs == 0 && e.known && !e.unsure {
		// It never left, so only the owner can say.
		_, err := e.await(ctx, func() bool { return false })
		return err
	}
	if _, err := e.await(ctx, func() bool { return (e.now^rest)&line.Inputs == 0 }); err != nil {
		return err
	}
	if e.now == rest {
		return nil
	}
	e.t.say("At rest it reads otherwise than at the beginning: %s.", e.now.Inputs())
	if e.unsure {
		e.t.say("The adapter's driver did not know the lines then; this is taken for true.")
		for i, o := range e.seen {
			if o.When == line.AtRest && o.Lines == rest {
				e.seen[i].Lines = e.now
			}
		}
		e.unsure = false
		return nil
	}
	e.see(line.AtRest)
	return nil
}

// see notes what the lines are now.
func (e *eyes) see(when line.Situation) {
	e.seen = append(e.seen, line.Observation{When: when, Lines: e.now})
}

// await tells every change until want holds and the lines stand still, which is true,
// or until Enter is typed, which is false. want nil: whatever they are.
func (e *eyes) await(ctx context.Context, want func() bool) (bool, error) {
	e.last, e.told, e.alone = time.Now(), false, want == nil
	calm := time.NewTimer(still)
	defer calm.Stop()
	var tooLong <-chan time.Time
	typed := e.t.typed
	if want == nil {
		typed = nil
	}
	for {
		select {
		case c, open := <-e.p.Changes():
			if !open {
				return false, lost(<-e.ended)
			}
			e.tell(c)
			calm.Reset(still)
			if tooLong == nil && c.Err == nil {
				tooLong = time.After(flutters)
			}
		case <-calm.C:
			if e.known && (want == nil || want()) {
				return true, nil
			}
			tooLong = nil
		case <-tooLong:
			e.t.say("The lines don't stand still; they are taken as they are now.")
			if e.known && (want == nil || want()) {
				return true, nil
			}
			tooLong = nil
		case line, ok := <-typed:
			if !ok {
				return false, &MissingError{"what you did", "--cable NAME"}
			}
			if line == "" {
				return false, nil
			}
			e.t.say("Enter alone goes on; Ctrl-C ends setup.")
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// tell shows one change and when it came.
func (e *eyes) tell(c line.Change) {
	if c.Err != nil {
		e.unsure = true
		e.t.say("%v", c.Err)
		return
	}
	first := !e.known
	e.now, e.known = c.Lines, true
	if first {
		return
	}
	after := c.At.Sub(e.last)
	switch {
	case e.alone:
		fmt.Fprintf(e.t.out, "  %s\n", c)
	case e.told:
		fmt.Fprintf(e.t.out, "  %s, %s later\n", c, line.Since(after))
	default:
		fmt.Fprintf(e.t.out, "  %s, %s after the question\n", c, line.Since(after))
	}
	e.last, e.told = c.At, true
}

// lost says what to do when the port went away.
func lost(err error) error {
	if err == nil {
		err = line.ErrLost
	}
	return fmt.Errorf("%w; nothing was written, begin again when it is back", err)
}
