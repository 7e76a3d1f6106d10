package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// idleEvery is how often a generation is asked whether it may be replaced, while
	// another one waits.
	idleEvery = time.Second
	// loadLimit is how long a configuration is waited for before that is told.
	loadLimit = 3 * time.Second
	// endLimit is how long the tasks of a generation may take to end.
	endLimit = 30 * time.Second
	// young is for how long a generation that fails is taken for a mistake in its
	// configuration, and the one before it put back. After that it is a good one.
	young = 5 * time.Second
)

// generations is the process in which one generation follows the other. It belongs
// to one goroutine.
type generations[C any] struct {
	Reload[C]
	log   *slog.Logger
	hups  <-chan os.Signal
	locks map[string]func() // held, by path; to be called to let go

	cur      *running[C]
	before   *C    // what cur replaced; nil: nothing
	trouble  error // why the newest configuration does not run, as last told
	waiting  *C    // what is to run next
	loads    chan load[C]
	loading  bool
	again    bool   // another SIGHUP came while one was loaded
	unready  bool   // the service manager waits for READY=1
	status   string // what it was told last
	reported bool   // cur is ready, and that was told
}

type load[C any] struct {
	config C
	err    error
}

// start takes the first configuration and its lock.
func (g *generations[C]) start() error {
	var c C
	if g.Start != nil {
		var err error
		if c, g.trouble, err = g.Start(); err != nil {
			return err
		}
	}
	if err := g.claim(c); err != nil {
		return err
	}
	gen, err := g.Build(c)
	g.cur = &running[C]{config: c, gen: gen}
	return err
}

// claim takes the lock that c wants, if it is not held.
func (g *generations[C]) claim(c C) error {
	if g.Lock == nil || g.locks[g.Lock(c)] != nil {
		return nil
	}
	release, err := Single(g.Lock(c), g.log)
	if err == nil {
		g.locks[g.Lock(c)] = release
	}
	return err
}

// unlock lets go of every lock but the one at keep.
func (g *generations[C]) unlock(keep string) {
	for path, release := range g.locks {
		if path != keep {
			release()
			delete(g.locks, path)
		}
	}
}

// serve runs one generation after the other until the process is to end.
func (g *generations[C]) serve(ctx context.Context, signals chan os.Signal) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.unready = true
	g.run(ctx, g.cur.config, g.cur.gen)
	ended := make(chan struct{})
	helpers := new(errgroup.Group)
	helpers.Go(func() error { listen(ctx, g.log, signals, cancel, ended); return nil })
	helpers.Go(func() error { feedWatchdog(g.log, ended); return nil })
	trouble := g.trouble
	g.trouble = nil
	g.tell(trouble)
	err := g.loop(ctx, cancel)
	close(ended)
	_ = helpers.Wait()
	return err
}

// run begins a generation.
func (g *generations[C]) run(ctx context.Context, c C, gen Generation) {
	g.cur, g.reported = begin(ctx, c, gen), false
	if g.Lock != nil {
		g.unlock(g.Lock(c))
	}
}

// loop attends to the generation that runs, and replaces it.
func (g *generations[C]) loop(ctx context.Context, stop context.CancelCauseFunc) error {
	poll := time.NewTimer(0)
	defer poll.Stop()
	slow := time.NewTimer(loadLimit)
	slow.Stop()
	defer slow.Stop()
	for {
		ready, failing := g.cur.ready, g.cur.ctx.Done()
		if g.reported {
			ready = nil
		}
		if ctx.Err() != nil || g.mayGoBack() {
			failing = nil
		}
		select {
		case <-g.cur.over:
			if again, err := g.over(ctx); !again {
				return err
			}
		case <-failing:
			stop(context.Cause(g.cur.ctx)) // the whole process ends: say so now
		case <-ready:
			g.isReady()
		case <-g.hups:
			g.hup()
			slow.Reset(loadLimit)
		case <-slow.C:
			g.loadHangs()
		case l := <-g.loads:
			slow.Stop()
			if g.judge(l); g.loading {
				slow.Reset(loadLimit)
			}
		case <-poll.C:
		}
		if g.waiting != nil && ctx.Err() == nil {
			if why := g.cur.idle(); why != nil {
				g.tell(fmt.Errorf("the new configuration waits, the former one runs on: %w", why))
				g.ready("the new configuration waits")
				poll.Reset(idleEvery)
			} else if err := g.replace(ctx); err != nil {
				return err
			}
		}
	}
}

// isReady notes that what runs is of use.
func (g *generations[C]) isReady() {
	g.reported = true
	g.ready("")
	if g.Good == nil {
		return
	}
	go func(ctx context.Context, c C) {
		t := time.NewTimer(young)
		defer t.Stop()
		select {
		case <-t.C:
			g.Good(ctx, c)
		case <-ctx.Done():
		}
	}(g.cur.ctx, g.cur.config)
}

// ready tells the service manager how it stands, and READY=1 if it waits for that.
func (g *generations[C]) ready(status string) {
	var state []string
	if g.unready {
		state = append(state, "READY=1")
	}
	if status != g.status {
		state = append(state, "STATUS="+status)
	}
	if len(state) > 0 {
		say(g.log, strings.Join(state, "\n"))
	}
	g.unready, g.status = false, status
}

// hup begins to load the newest configuration.
func (g *generations[C]) hup() {
	if !g.unready {
		g.unready = true
		say(g.log, "RELOADING=1\nMONOTONIC_USEC="+monotonic())
	}
	if g.loading {
		g.again = true
		return
	}
	g.loading = true
	go func() {
		c, err := g.Load()
		g.loads <- load[C]{c, err}
	}()
}

// loadHangs says that the disk does not give the new configuration.
func (g *generations[C]) loadHangs() {
	g.tell(errors.New("the new configuration can't be read: the disk does not answer; the former one runs on"))
	g.ready("the new configuration can't be read")
}

// judge looks at what was loaded.
func (g *generations[C]) judge(l load[C]) {
	g.loading, g.waiting = false, nil
	switch {
	case g.again:
		g.again = false
		g.hup()
	case l.err != nil:
		g.tell(fmt.Errorf("the new configuration is not adopted, the former one runs on: %w", l.err))
		g.ready("the new configuration is broken")
	case g.Same(g.cur.config, l.config):
		g.log.Info("reloaded: nothing has changed")
		g.tell(nil)
		g.ready("")
	default:
		g.waiting = &l.config
	}
}

// replace ends what runs and begins what waits.
func (g *generations[C]) replace(ctx context.Context) error {
	next, old := *g.waiting, g.cur
	g.waiting = nil
	if err := g.claim(next); err != nil {
		g.refuse(err)
		return nil
	}
	g.log.Info("adopting the new configuration")
	if err := g.end(); err != nil || ctx.Err() != nil {
		return err
	}
	gen, err := g.Build(next)
	if err != nil {
		return g.goBack(ctx, old.config, err)
	}
	g.run(ctx, next, gen)
	g.before, g.trouble = &old.config, nil
	return nil
}

// refuse says that what was good to read can't run.
func (g *generations[C]) refuse(err error) {
	g.tell(fmt.Errorf("the new configuration can't run, the former one runs on: %w", err))
	g.ready("the new configuration can't run")
}

// end ends the tasks of what runs.
func (g *generations[C]) end() error {
	g.cur.end(ErrReload)
	t := time.NewTimer(endLimit)
	defer t.Stop()
	select {
	case <-g.cur.over:
	case <-t.C:
		return fmt.Errorf("cannot adopt the new configuration in this process: %s did not end within %s; start anew", g.cur.left(), endLimit)
	}
	if err := g.cur.err; err != nil {
		g.log.Warn("a task of the former configuration did not end well", "err", err)
	}
	return nil
}

// goBack puts a former configuration back, because of err.
func (g *generations[C]) goBack(ctx context.Context, former C, err error) error {
	if taken := g.claim(former); taken != nil {
		return errors.Join(err, taken)
	}
	gen, broken := g.Build(former)
	if broken != nil {
		return errors.Join(err, broken)
	}
	g.run(ctx, former, gen)
	g.before, g.trouble = nil, nil
	g.refuse(err)
	return nil
}

// mayGoBack reports whether a failure now would be the new configuration's.
func (g *generations[C]) mayGoBack() bool {
	return g.before != nil && time.Since(g.cur.since) < young
}

// over is called when every task has ended; again: something else runs now.
func (g *generations[C]) over(ctx context.Context) (again bool, err error) {
	if g.cur.err == nil || ctx.Err() != nil || !g.mayGoBack() {
		return false, g.cur.err
	}
	err = g.goBack(ctx, *g.before, g.cur.err)
	return err == nil, err
}

// tell says why the newest configuration does not run, once for each reason; nil:
// it does.
func (g *generations[C]) tell(err error) {
	if (err == nil) == (g.trouble == nil) && (err == nil || err.Error() == g.trouble.Error()) {
		return
	}
	g.trouble = err
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			g.log.Warn("configuration", "problem", strings.TrimSpace(line))
		}
	}
	g.cur.notAdopted(err)
}
