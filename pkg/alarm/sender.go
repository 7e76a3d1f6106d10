package alarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

const (
	// attemptLimit bounds one attempt: a mail server may think for a while.
	attemptLimit = 20 * time.Second
	// attemptGrace is how long an attempt may take to end when its time is over, before
	// it counts as one that hangs.
	attemptGrace = 2 * time.Second
	// goodbye is how long what is being sent may still take when the daemon stops: the
	// last word of a machine that goes down is worth it.
	goodbye = 2 * time.Second
	// loadPatience is how long new messages wait for the older ones on disk.
	loadPatience = time.Second
)

// Options is what a [Sender] is made of.
type Options struct {
	// Targets are who is told.
	Targets []Target
	// Path is the file of what waits.
	Path string
	// FS is where that file lies; nil: the real disk.
	FS journal.FS
	// From is the daemon's name.
	From string
	// Run runs a program of exec:// with env added to a daemon's usual one; it refuses
	// programs that others could have written. Nil: none are run.
	Run func(ctx context.Context, argv, env []string, stdin string) error
	// Dial connects; nil: net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log takes what was sent, what can't be, and its end.
	Log *slog.Logger
}

// Sender tells everybody. It is a task: nothing is sent before Run, but what is put
// before is kept.
type Sender struct {
	o       Options
	boxes   []*box
	saver   *journal.Saver
	read    func(v any) error // the saver's
	send    func(context.Context, Target, note) error
	changed chan struct{} // size 1: what waits is not what is on disk

	mu      sync.Mutex // guards everything that follows
	loading time.Time  // since when; zero: not yet, or over
	loaded  bool
	testing bool
}

// New returns a Sender that has not begun to run.
func New(o Options) *Sender {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	out := &outside{dial: o.Dial, run: o.Run}
	s := &Sender{
		o: o, send: out.send, changed: make(chan struct{}, 1),
		saver: journal.NewSaver(journal.SaverOptions{Path: o.Path, Cost: "a restart forgets the alarms that wait", FS: o.FS, Log: o.Log}),
	}
	s.read = s.saver.Load
	names, ids := map[string]int{}, map[string]int{}
	for _, t := range o.Targets {
		s.boxes = append(s.boxes, newBox(t, numbered(names, t.String()), numbered(ids, t.id())))
	}
	return s
}

// numbered makes a name that was given before another one.
func numbered(given map[string]int, name string) string {
	if given[name]++; given[name] > 1 {
		return fmt.Sprintf("%s (%d)", name, given[name])
	}
	return name
}

// String returns the task's name.
func (s *Sender) String() string { return "alarms" }

// Put takes a message for everybody who wants it. It never blocks and touches neither
// disk nor network.
func (s *Sender) Put(m Message) {
	now := time.Now()
	m = m.tidy(now)
	id := rand.Text()
	for _, b := range s.boxes {
		if !b.target.wants(m) {
			continue
		}
		if lost := b.add(m, id, now); lost > 0 {
			s.o.Log.Error("an alarm is lost: too many wait", "to", b.name, "lost", lost)
		}
		b.poke()
	}
	s.touch()
}

// touch says that what waits has changed. It never blocks.
func (s *Sender) touch() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run sends what is put, and what an earlier run left, until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	if len(s.boxes) == 0 {
		return nil
	}
	last, over := afterwards(ctx, goodbye)
	defer over()
	saving, saved := context.WithCancel(context.WithoutCancel(ctx))
	defer saved()
	var saver, workers sync.WaitGroup
	saver.Go(func() { _ = s.saver.Run(saving) })
	s.awaitLoad(ctx)
	for _, b := range s.boxes {
		workers.Go(func() { s.serve(ctx, last, b) })
	}
	workers.Go(func() { s.keep(ctx) })
	workers.Wait()
	s.save()
	saved()
	saver.Wait()
	return nil
}

// afterwards returns a context that ends a while after ctx.
func afterwards(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel() }
}

// serve sends what waits for one receiver, one after the other. What is ready when ctx
// ends is still tried until last does.
func (s *Sender) serve(ctx, last context.Context, b *box) {
	for last.Err() == nil {
		now := time.Now()
		e, wait, some := b.first(now)
		switch {
		case !some:
			select {
			case <-b.wake:
			case <-ctx.Done():
				return
			}
		case wait > 0:
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-b.wake: // perhaps sooner
			case <-ctx.Done():
				t.Stop()
				return
			}
			t.Stop()
		default:
			s.attempt(last, b, e)
		}
	}
}

// attempt sends one message and notes how it went.
func (s *Sender) attempt(ctx context.Context, b *box, e entry) {
	done := s.begin(ctx, b.target, e.note(s.o.From, time.Now()))
	late := time.NewTimer(attemptLimit + attemptGrace)
	defer late.Stop()
	var err error
	select {
	case err = <-done:
	case <-late.C:
		// A secret on a disk that hangs, a program that can't be killed. There is no
		// second attempt beside it: they would become ever more.
		b.hangs(errHangs, time.Now())
		s.o.Log.Warn("cannot tell", "to", b.name, "err", errHangs)
		select {
		case err = <-done:
		case <-ctx.Done():
			return
		}
	}
	now := time.Now()
	if err == nil {
		defer s.touch()
		if b.sent(e.ID, now) {
			s.o.Log.Info("can tell again", "to", b.name)
		}
		s.o.Log.Info("alarm sent", "to", b.name, "event", e.Message.Event, "on", e.Message.On, "title", e.Message.Title)
		return
	}
	switch begins, over := b.failed(e.ID, err, now); {
	case over:
		s.touch()
		s.o.Log.Error("an alarm is given up: it is refused again and again", "to", b.name, "event", e.Message.Event, "title", e.Message.Title, "err", err)
	case begins && ctx.Err() == nil:
		s.o.Log.Warn("cannot tell; it is tried again", "to", b.name, "event", e.Message.Event, "err", err)
	}
}

var errHangs = errors.New("the attempt hangs and does not end")

// begin sends a note in a goroutine of its own.
func (s *Sender) begin(ctx context.Context, t Target, n note) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, attemptLimit)
		defer cancel()
		done <- s.send(ctx, t, n)
	}()
	return done
}

// Result is how one receiver was told.
type Result struct {
	To  string
	Err error
}

// ErrTesting says that a test is under way.
var ErrTesting = errors.New("a test is under way already; wait until it has ended")

// Test sends one message to everybody now, past what waits, and says how that went, in
// the order of the configuration. Whoever was reached is sent what waits for him too.
func (s *Sender) Test(ctx context.Context) ([]Result, error) {
	s.mu.Lock()
	busy := s.testing
	s.testing = true
	s.mu.Unlock()
	if busy {
		return nil, ErrTesting
	}
	defer func() {
		s.mu.Lock()
		s.testing = false
		s.mu.Unlock()
	}()
	m := Message{Event: Test, On: s.o.From, Title: "a test", Text: "This is a test of the alarms. Nothing has happened."}.tidy(time.Now())
	out := make([]Result, len(s.boxes))
	var all sync.WaitGroup
	for i, b := range s.boxes {
		out[i].To = b.name
		all.Go(func() { out[i].Err = s.test(ctx, b, note{Message: m, id: rand.Text(), from: s.o.From}) })
	}
	all.Wait()
	return out, nil
}

func (s *Sender) test(ctx context.Context, b *box, n note) error {
	done := s.begin(ctx, b.target, n)
	late := time.NewTimer(attemptLimit + attemptGrace)
	defer late.Stop()
	select {
	case err := <-done:
		if err == nil {
			b.hurry()
		}
		return err
	case <-late.C:
		return errHangs
	}
}

// Err says who could not be told and since when, or what is wrong with the disk, in
// words for the owner; nil: nothing waits for long.
func (s *Sender) Err() error {
	if len(s.boxes) == 0 {
		return nil
	}
	now := time.Now()
	var all []string
	for _, b := range s.boxes {
		if text := b.trouble(now); text != "" {
			all = append(all, text)
		}
	}
	if err := s.diskTrouble(now); err != nil {
		all = append(all, err.Error())
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}
