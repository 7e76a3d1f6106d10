package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"encoding/json"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// rig is a driver in a synctest bubble, and everything around it as a story: one
// line for each thing that it did, with the seconds since the start.
type rig struct {
	t *testing.T
	*Driver

	journal *fakeJournal
	store   *fakeStore
	chain   []*fakeMethod
	hook    map[string]func(ctx context.Context) error // by program; nil: done at once
	start   time.Time

	mu    sync.Mutex
	lines []string

	cancel context.CancelFunc
	done   chan error
	now    func() power.Uptime
	log    *slog.Logger
}

// base is the uptime at which every rig starts.
const base = power.Uptime(time.Hour)

func settings(t *testing.T, toml string) Settings {
	t.Helper()
	doc, err := config.Parse("agent.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	s := ParseSettings(doc.Root())
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// newRig returns a rig that does not run yet.
func newRig(t *testing.T, toml string) *rig {
	t.Helper()
	r := &rig{t: t, hook: map[string]func(context.Context) error{}, start: time.Now(), journal: &fakeJournal{}, store: &fakeStore{}}
	r.now = func() power.Uptime { return base.Add(time.Since(r.start)) }
	r.log = slog.New(slog.DiscardHandler)
	s := settings(t, toml)
	var chain []shutdown.Executor
	for _, m := range s.Methods {
		f := &fakeMethod{name: m, tell: r.tell}
		r.chain, chain = append(r.chain, f), append(chain, uncomparable{f, nil})
	}
	r.journal.tell = r.tell
	var err error
	r.Driver, err = NewDriver(Options{
		Name: "web1", Settings: s, Chain: chain, State: r.store, BootID: "b1",
		Journal: r.journal, Now: r.now, Log: r.log,
		Wall: func(_ context.Context, text string) { r.tell("wall: " + text) },
		Exec: r.exec,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.vetted = func(Hook) error { return nil }
	return r
}

// exec runs a hook as setHook says.
func (r *rig) exec(ctx context.Context, c shutdown.Cmd) (string, error) {
	name := strings.TrimPrefix(c.Argv[0], "/")
	r.tell("hook " + name + " begins")
	var err error
	r.mu.Lock()
	f := r.hook[name]
	r.mu.Unlock()
	if f != nil {
		err = f(ctx)
	}
	r.tell("hook " + name + " ends")
	return "", err
}

// setHook says how a hook ends from now on.
func (r *rig) setHook(name string, f func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook[name] = func(context.Context) error { return f() }
}

// run starts the driver.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.Run(ctx) }()
	synctest.Wait()
}

// stop ends the driver and waits for it.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
}

func (r *rig) tell(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("%gs %s", time.Since(r.start).Seconds(), line))
}

// story returns the lines so far that hold one of the words, all without any.
func (r *rig) story(words ...string) []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, l := range r.lines {
		keep := len(words) == 0
		for _, w := range words {
			keep = keep || strings.Contains(l, strings.ReplaceAll(w, "_", " "))
		}
		if keep {
			out = append(out, l)
		}
	}
	return out
}

// want compares the story with what it should be.
func (r *rig) want(words string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.story(strings.Fields(words)...)); diff != "" {
		r.t.Errorf("(-want +got):\n%s", diff)
	}
}

func (r *rig) wantPhase(p policy.Phase) {
	r.t.Helper()
	synctest.Wait()
	if got := r.Snapshot().View.Phase; got != p {
		r.t.Errorf("the phase is %s, want %s", got, p)
	}
}

// state returns a full state in its outage's n-th second.
func (r *rig) state(s power.Status, age time.Duration) power.State {
	st := power.State{Status: s, Last: s, Since: r.now().Add(-age), HasLow: true}
	if s.OnBattery() {
		st.Outage, st.OutageSince = "b1-1", r.now().Add(-age)
	}
	return st
}

// feed gives a state of the only UPS, in contact, without an order.
func (r *rig) feed(s power.Status) {
	r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(s, 0)}}})
	synctest.Wait()
}

func (r *rig) problem(name string) string {
	synctest.Wait()
	for _, p := range r.Snapshot().Problems {
		if p.Name == name {
			return p.Text
		}
	}
	return ""
}

// fakeJournal keeps records in the story. slow is how long each takes to be on
// disk; negative: for ever, whatever was promised.
type fakeJournal struct {
	tell func(string)
	mu   sync.Mutex
	slow time.Duration
	err  error
}

func (j *fakeJournal) set(slow time.Duration, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.slow, j.err = slow, err
}

func (j *fakeJournal) Record(kind string, v any) <-chan struct{} {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var r struct{ From, To, Name, Method, What, Event, Hook, Error string }
	if err := json.Unmarshal(b, &r); err != nil {
		panic(err)
	}
	what := strings.Join(strings.Fields(strings.Join([]string{r.From, r.To, r.Name, r.Method, r.What, r.Event, r.Hook, r.Error}, " ")), " ")
	j.tell("record " + kind + ": " + what)
	j.mu.Lock()
	defer j.mu.Unlock()
	c := make(chan struct{})
	switch {
	case j.slow == 0:
		close(c)
	case j.slow > 0:
		time.AfterFunc(j.slow, func() { j.tell("on disk: " + kind + ": " + what); close(c) })
	}
	return c
}

func (j *fakeJournal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// fakeStore is a state file in memory.
type fakeStore struct {
	mu   sync.Mutex
	b    json.RawMessage
	err  error
	hang chan struct{}
}

func (s *fakeStore) Put(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(json.RawMessage(nil), v.(json.RawMessage)...)
}

func (s *fakeStore) Load(v any) error {
	if s.hang != nil {
		<-s.hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.b == nil {
		return os.ErrNotExist
	}
	return json.Unmarshal(s.b, v)
}

func (s *fakeStore) Err() error { return nil }

// fakeMethod is a way to power off that does as it is told.
type fakeMethod struct {
	name  string
	tell  func(string)
	mu    sync.Mutex
	check error
	// advice is what it has to say beside; empty: nothing.
	advice string
	stuck  chan struct{}                   // not nil: Advise waits for it
	hang   chan struct{}                   // not nil: Check waits for it, whatever its context says
	off    func(ctx context.Context) error // nil: accepted
}

func (m *fakeMethod) String() string { return m.name }
func (m *fakeMethod) Check(context.Context) error {
	if m.hang != nil {
		<-m.hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.check
}
func (m *fakeMethod) setCheck(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.check = err
}
func (m *fakeMethod) PowerOff(ctx context.Context) error {
	m.tell("ask " + m.name)
	if m.off == nil {
		return nil
	}
	return m.off(ctx)
}
func (m *fakeMethod) Cancel(context.Context) error {
	m.tell("cancel: " + m.name)
	return shutdown.ErrNoCancel
}

var errRefused = errors.New("refused")

func refuse(context.Context) error { return errRefused }

// untilKilled lasts until ctx ends, as a program does that is killed then.
func untilKilled(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }

// uncomparable is a method as the real ones are: a struct with an argv in it, which
// panics when it is compared.
type uncomparable struct {
	*fakeMethod
	argv []string
}
