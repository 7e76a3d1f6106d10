package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// story is a process under test: what its generations did, and what the next one
// shall do. It belongs to a synctest bubble.
type story struct {
	t     *testing.T
	g     *generations[string]
	hups  chan os.Signal
	next  func() (string, error) // what Load gives
	busy  error                  // what Idle says
	fail  map[string]error       // by configuration: its task fails after a second
	build map[string]error
	stuck map[string]chan struct{} // its task ends when this is closed
	mu    sync.Mutex
	said  []string
	done  chan error
	stop  context.CancelFunc
}

// tell begins the story of a process that runs by the configuration "a".
func tell(t *testing.T) *story {
	s := &story{
		t: t, hups: make(chan os.Signal, 1), fail: map[string]error{}, build: map[string]error{},
		stuck: map[string]chan struct{}{}, done: make(chan error, 1),
	}
	s.g = &generations[string]{
		Reload: Reload[string]{
			Start: func() (string, error, error) { return "a", nil, nil },
			Load:  func() (string, error) { return s.next() },
			Same:  func(a, b string) bool { return a == b },
			Build: s.newGeneration,
			Good:  func(_ context.Context, c string) { s.say("good " + c) },
		},
		log: quiet, hups: s.hups, locks: map[string]func(){}, loads: make(chan load[string], 1),
	}
	return s
}

func (s *story) begin() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.g.start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { s.done <- s.g.serve(ctx, make(chan os.Signal, 1)) }()
	synctest.Wait()
}

func (s *story) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, text)
}

func (s *story) newGeneration(c string) (Generation, error) {
	if err := s.build[c]; err != nil {
		return Generation{}, err
	}
	begun := make(chan struct{})
	return Generation{
		Tasks: []Task{worker{begun, Func("work", func(ctx context.Context) error {
			s.say("begin " + c)
			close(begun)
			var failing <-chan time.Time
			if s.fail[c] != nil {
				failing = time.After(time.Second)
			}
			select {
			case <-failing:
				s.say("fail " + c)
				return s.fail[c]
			case <-ctx.Done():
			}
			if s.stuck[c] != nil {
				<-s.stuck[c]
			}
			text := "end " + c
			if errors.Is(context.Cause(ctx), ErrReload) {
				text += " for the next"
			}
			s.say(text)
			return ctx.Err()
		})}},
		Idle: func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.busy
		},
		NotAdopted: func(err error) { s.say(fmt.Sprintf("%s told: %v", c, err)) },
	}, nil
}

func (s *story) setBusy(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = err
}

// worker is ready when it has begun.
type worker struct {
	begun chan struct{}
	Task
}

func (w worker) Ready() <-chan struct{} { return w.begun }

// reload makes the next configuration c, or what err says is wrong with it, and
// sends SIGHUP.
func (s *story) reload(c string, err error) {
	s.next = func() (string, error) { return c, err }
	s.hups <- syscall.SIGHUP
	synctest.Wait()
}

// saw checks what happened since the last look.
func (s *story) saw(want ...string) {
	s.t.Helper()
	if said := s.forget(); !slices.Equal(said, want) {
		s.t.Errorf("happened:\n\t%s\nwant:\n\t%s", strings.Join(said, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// sawAll is saw where two things happen side by side, so want is sorted.
func (s *story) sawAll(want ...string) {
	s.t.Helper()
	said := s.forget()
	if slices.Sort(said); !slices.Equal(said, want) {
		s.t.Errorf("happened:\n\t%s\nwant:\n\t%s", strings.Join(said, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// forget returns what happened since the last look.
func (s *story) forget() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = nil
	return said
}

// ends checks how the process ends.
func (s *story) ends(want string) {
	s.t.Helper()
	if got := fmt.Sprint(<-s.done); got != want {
		s.t.Errorf("it ended with %q, want %q", got, want)
	}
}

func TestAReloadSwapsWhollyAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.saw("begin a")
		s.reload("b", nil)
		s.saw("end a for the next", "begin b")
		s.reload("b", nil) // nothing has changed
		s.saw()
		s.stop()
		s.ends("<nil>")
		s.saw("end b")
	})
}

func TestLaw10ABrokenConfigurationChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.saw("begin a")
		s.reload("", errors.New("f:1:2: x"))
		s.saw("a told: the new configuration is not adopted, the former one runs on: f:1:2: x")
		s.reload("", errors.New("f:1:2: x")) // told once
		s.saw()
		s.reload("a", nil) // mended
		s.saw("a told: <nil>")
		s.reload("", errors.New("f:1:2: x"))
		s.saw("a told: the new configuration is not adopted, the former one runs on: f:1:2: x")
		s.reload("b", nil)
		s.saw("end a for the next", "begin b")
		s.stop()
		s.ends("<nil>")
	})
}

func TestLaw10AGoodOneWaitsForPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.forget()
		s.setBusy(errors.New("on battery"))
		s.reload("b", nil)
		s.saw("a told: the new configuration waits, the former one runs on: on battery")
		time.Sleep(time.Hour)
		s.saw("good a")
		s.reload("", errors.New("broken")) // what waited is not what the file says any more
		s.saw("a told: the new configuration is not adopted, the former one runs on: broken")
		s.setBusy(nil)
		time.Sleep(2 * idleEvery)
		s.saw()
		s.setBusy(errors.New("on battery"))
		s.reload("c", nil)
		s.reload("d", nil)
		s.saw("a told: the new configuration waits, the former one runs on: on battery")
		s.setBusy(nil)
		time.Sleep(idleEvery)
		s.saw("end a for the next", "begin d")
		s.stop()
		s.ends("<nil>")
	})
}

func TestLaw10WhatCantRunIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.forget()
		s.build["b"] = errors.New("no chain")
		s.reload("b", nil)
		s.sawAll("a told: the new configuration can't run, the former one runs on: no chain", "begin a", "end a for the next")
		s.fail["c"] = errors.New("no port")
		s.reload("c", nil)
		s.saw("end a for the next", "begin c")
		time.Sleep(time.Second)
		s.sawAll("a told: the new configuration can't run, the former one runs on: work: no port", "begin a", "fail c")
		s.fail["a"] = errors.New("old age") // the next run of it
		s.reload("d", nil)
		s.forget()
		time.Sleep(young)
		s.stop()
		s.ends("<nil>")
	})
}

func TestAGoodOneIsOneThatHasRunForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.saw("begin a")
		time.Sleep(young)
		s.saw("good a")
		s.reload("b", nil)
		time.Sleep(young - time.Second)
		s.reload("c", nil)
		time.Sleep(young - time.Second)
		s.saw("end a for the next", "begin b", "end b for the next", "begin c")
		time.Sleep(time.Second)
		s.saw("good c")
		s.stop()
		s.ends("<nil>")
	})
}

func TestAFailureIsTheProcesss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.fail["a"] = errors.New("no port")
		s.begin()
		s.ends("work: no port")
		s.saw("begin a", "fail a")
	})
}

func TestTwoNeverRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.stuck["a"] = make(chan struct{})
		s.begin()
		s.forget()
		s.reload("b", nil)
		time.Sleep(endLimit - time.Second)
		s.saw()
		close(s.stuck["a"])
		s.saw("end a for the next", "begin b")
		s.stuck["b"] = make(chan struct{})
		s.reload("c", nil)
		s.ends("cannot adopt the new configuration in this process: work did not end within 30s; start anew")
		s.saw()
		close(s.stuck["b"])
	})
}

func TestLaw10ADiskThatHangsAtAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.begin()
		s.forget()
		answer := make(chan string)
		s.next = func() (string, error) { return <-answer, nil }
		s.hups <- syscall.SIGHUP
		time.Sleep(loadLimit)
		s.saw("a told: the new configuration can't be read: the disk does not answer; the former one runs on")
		s.hups <- syscall.SIGHUP // the file may have changed since
		synctest.Wait()
		answer <- "b"
		s.saw()
		answer <- "c"
		s.saw("end a for the next", "begin c")
		s.hups <- syscall.SIGHUP
		synctest.Wait()
		s.stop() // nobody waits for the disk
		s.ends("<nil>")
		answer <- "d"
	})
}

func TestTheTroubleOfTheStartIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := tell(t)
		s.g.Start = func() (string, error, error) { return "a", errors.New("the copy runs"), nil }
		s.begin()
		s.sawAll("a told: the copy runs", "begin a")
		s.reload("a", nil)
		s.saw("a told: <nil>")
		s.stop()
		s.ends("<nil>")
	})
}

// TestTheLockMovesWithTheFolder reloads to a folder that is free, and to one that
// another instance holds.
func TestTheLockMovesWithTheFolder(t *testing.T) {
	dir := t.TempDir()
	path := func(c string) string { return filepath.Join(dir, c) }
	free := func(c string) bool {
		release, err := Lock(path(c))
		if err == nil {
			release()
		}
		return err == nil
	}
	// freed waits for what is let go after the next generation has begun to run.
	freed := func(c string) bool {
		for end := time.Now().Add(10 * time.Second); !free(c); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return false
			}
		}
		return true
	}
	theirs, err := Lock(path("theirs"))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs()
	hups, told := make(chan os.Signal, 1), make(chan string, 10)
	next := ""
	g := &generations[string]{
		Reload: Reload[string]{
			Start: func() (string, error, error) { return "a", nil, nil },
			Load:  func() (string, error) { return next, nil },
			Same:  func(a, b string) bool { return a == b },
			Lock:  path,
			Build: func(c string) (Generation, error) {
				return Generation{
					Tasks: []Task{Func("work", func(ctx context.Context) error {
						told <- "runs " + c
						if c == "fails" {
							return errors.New("no port")
						}
						<-ctx.Done()
						return nil
					})},
					NotAdopted: func(err error) { told <- err.Error() },
				}, nil
			},
		},
		log: slog.New(slog.DiscardHandler), hups: hups, locks: map[string]func(){}, loads: make(chan load[string], 1),
	}
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.serve(ctx, make(chan os.Signal, 1)) }()
	if got := <-told; got != "runs a" || free("a") {
		t.Errorf("%s; the lock of a is free: %v", got, free("a"))
	}
	next = "theirs"
	hups <- syscall.SIGHUP
	if got := <-told; !strings.Contains(got, "the former one runs on: already running as pid") || free("a") {
		t.Errorf("%s; the lock of a is free: %v", got, free("a"))
	}
	next = "b"
	hups <- syscall.SIGHUP
	if got := <-told; got != "runs b" || free("b") || !freed("a") {
		t.Errorf("%s; the lock of b is free: %v, of a: %v", got, free("b"), free("a"))
	}
	next = "fails" // and the one before goes on in its own folder
	hups <- syscall.SIGHUP
	got := []string{<-told, <-told, <-told}
	slices.Sort(got[1:])
	if want := []string{"runs fails", "runs b", "the new configuration can't run, the former one runs on: work: no port"}; !slices.Equal(got, want) || free("b") || !freed("fails") {
		t.Errorf("%q; the lock of b is free: %v, of fails: %v", got, free("b"), free("fails"))
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTheServiceManagerIsToldOfAReload sends SIGHUP to a process: first what is to
// be loaded is broken, then good.
func TestTheServiceManagerIsToldOfAReload(t *testing.T) {
	m := newManager(t)
	file := filepath.Join(t.TempDir(), "file")
	p := spawn(t, "reloads", []string{"NOTIFY_SOCKET=" + m.path}, file)
	said := func(want string) {
		t.Helper()
		if got, _ := m.next(); got != want && (!strings.HasSuffix(want, "…") || !strings.HasPrefix(got, strings.TrimSuffix(want, "…"))) {
			t.Errorf("the service manager heard %q, want %q", got, want)
		}
	}
	hup := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		said("RELOADING=1\nMONOTONIC_USEC=…")
	}
	said("READY=1")
	hup()
	said("READY=1\nSTATUS=the new configuration is broken")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hup()
	said("READY=1\nSTATUS=")
	if a, b := p.line(), p.line(); a != "up by a" || b != "up by b" {
		t.Errorf("%s, then %s", a, b)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	said("STOPPING=1")
	if out, err := p.rest(); err != nil {
		t.Errorf("%s %v", out, err)
	}
}
