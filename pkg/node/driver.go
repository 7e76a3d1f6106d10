package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Recorder is where the driver keeps its records: a journal writer. Record never
// blocks; its channel is closed when the record is on disk, or its writing failed
// or lasted 1 s. Err says what is wrong with the disk now.
type Recorder interface {
	Record(kind string, v any) <-chan struct{}
	Err() error
}

// Store is the state file. Put never blocks, and the newest wins; Load may block,
// and is called from a goroutine that may be left behind; Err says what is wrong
// with the disk now.
type Store interface {
	Put(v any)
	Load(v any) error
	Err() error
}

// Options are what a [Driver] works with.
type Options struct {
	// Name is this machine's name.
	Name     string
	Settings Settings
	// Chain holds the power-off methods, at least one.
	Chain []shutdown.Executor
	// Wall tells the people who are logged in; nil, or in a dry run: nobody. See
	// [Wall].
	Wall func(context.Context, string)
	// State lets a crashed driver go on where it was; nil: it can't.
	State Store
	// BootID names this boot.
	BootID string
	// Journal keeps records; nil: nobody does.
	Journal Recorder
	// Problems returns what else is wrong with this node, in full, each time it is
	// asked; nil: nothing. It must not block.
	Problems func() []health.Problem
	// Exec runs the hooks, which were looked at before; nil: [shutdown.Exec].
	Exec shutdown.Runner
	// Waking is how this machine gets itself woken; nil: by nothing that has to be armed.
	Waking Waking
	// Tell takes what people elsewhere should hear; nil: nobody does. It must not
	// block.
	Tell func(Notice)
	// Now tells the time since boot. It must not block.
	Now func() power.Uptime
	// Log must not block either.
	Log *slog.Logger
}

// NamedState is the state of the UPS called Name on some master.
type NamedState struct {
	Name  string
	State power.State
}

// Update is what one master says now, in full: its UPSes, the contact with it,
// what it wants of this machine, who is still up that it waits for, and what it only
// pretends. Without contact UPS may be empty, which means what it said last, Order and
// Awaited are not looked at, and no drill goes on.
type Update struct {
	Master  string
	Link    power.Link
	UPS     []NamedState
	Order   policy.Order
	Awaited policy.Awaited
	Drill   Drill
	// StopTime is how long this machine takes to be off once asked, as measured; 0:
	// it never was, and what its owner wrote counts.
	StopTime time.Duration
}

// Snapshot is where this machine stands.
type Snapshot struct {
	// Name is this machine's name.
	Name string
	// At is when the snapshot was true; View.Deadline is on the same clock.
	At   power.Uptime
	View policy.View
	// Feeds are the UPSes that count, "MASTER/UPS", sorted: those that were named, else
	// those heard of.
	Feeds []string
	// UPS is the one whose state decides; empty: none known.
	UPS string
	// StopTime is how long this machine takes to be off once asked.
	StopTime time.Duration
	// Wake is how this machine comes back: its [wake], but for what can't be armed.
	Wake []string
	// Problems are the machine's own, the driver's and those of Options.Problems,
	// sorted by name.
	Problems []health.Entry
	// Drill is this machine's part in the drill that is on or was lately; its ID is
	// empty: there was none.
	Drill policy.DrillReport
}

// Driver drives one machine. Its zero value is not usable; see [NewDriver].
type Driver struct {
	o      Options
	vetted func(h Hook) error // whether a hook may be run

	changed chan struct{} // size 1
	wake    chan struct{} // size 1: there is mail
	walls   chan string   // bounded; the people's mailbox

	over chan struct{} // closed when Run has returned

	flying sync.WaitGroup // power-offs that were asked for

	mu       sync.Mutex
	updates  map[string]Update // newest per master
	masters  []string          // whose update is new, in order of arrival
	posts    []func()          // answers, to be run by Run's goroutine
	snapshot Snapshot
	hooking  bool // hooks run or wait
	drills   drills

	// Everything below belongs to Run's goroutine.

	m         *policy.Machine
	feeds     *power.Feeds
	told      map[string]Update       // the last update of each master, merged
	silent    map[string]power.Uptime // since when there is no contact with a master
	states    map[string]power.State  // by feed
	ordered   bool                    // what is ordered was heard in this run
	heard     power.Uptime            // until then feeds may still be heard of for the first time; 0: no contact yet
	undecided bool                    // and they matter
	records   []<-chan struct{}       // not yet known to be on disk
	problems  problems
	outage    outage // for its report
	rehearsal rehearsal
	rehearsed map[string]power.Uptime // the drills in which this machine had its part, and their ends
	hooks     hookRuns
	asked     *asked // the power-off under way
	waking    waking
	saved     []byte // what the state file holds
	checking  bool
	measured  time.Duration // this machine's stop time; 0: never measured
}

// NewDriver returns a driver that has not begun to run.
func NewDriver(o Options) (*Driver, error) {
	switch {
	case len(o.Chain) == 0:
		return nil, errors.New("cannot drive a machine without a power-off method")
	case o.Now == nil || o.Log == nil:
		return nil, errors.New("cannot drive a machine without a clock and a log")
	}
	if o.Settings.dryRun() {
		o.Wall = nil // nobody is to be frightened by what will not happen
	}
	o.Exec = o.Exec.OrReal()
	d := &Driver{
		o:         o,
		vetted:    vet,
		changed:   make(chan struct{}, 1),
		wake:      make(chan struct{}, 1),
		walls:     make(chan string, wallsMax),
		over:      make(chan struct{}),
		updates:   map[string]Update{},
		feeds:     power.NewFeeds(o.Settings.Need, o.Settings.Feeds, o.Settings.ObeySim),
		told:      map[string]Update{},
		silent:    map[string]power.Uptime{},
		states:    map[string]power.State{},
		problems:  newProblems(),
		rehearsed: map[string]power.Uptime{},
		hooks:     hookRuns{faults: map[fault]string{}},
	}
	d.m = policy.NewMachine(d.config())
	d.publish()
	return d, nil
}

// String returns the task's name.
func (d *Driver) String() string { return "node " + d.o.Name }

// Update takes what a master says now. It never blocks; of several updates of one
// master that wait, the newest wins.
func (d *Driver) Update(u Update) {
	d.mu.Lock()
	if _, waits := d.updates[u.Master]; !waits {
		d.masters = append(d.masters, u.Master)
	}
	d.updates[u.Master] = u
	d.mu.Unlock()
	d.poke()
}

// Resumed says that this machine was suspended.
func (d *Driver) Resumed(asleep time.Duration) {
	d.post(func() { d.step(policy.Resumed{Asleep: asleep}) })
}

// ErrOnBattery says that a master can't be forgotten now.
var ErrOnBattery = errors.New("cannot forget a master while on battery or going down; wait until the power is back")

// Forget makes the driver know nothing of a master any more, as if it had begun
// without it: the machine begins anew and hears of the other masters' UPSes at
// their next beat. On battery or on the way down it refuses with [ErrOnBattery],
// because the outage would be forgotten with it.
func (d *Driver) Forget(master string) error {
	done := make(chan error, 1)
	d.post(func() { done <- d.forget(master) })
	select {
	case err := <-done:
		return err
	case <-d.over:
		return nil // nobody drives any more
	}
}

// Snapshot returns where this machine stands.
func (d *Driver) Snapshot() Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.snapshot
	s.Feeds, s.Problems, s.Drill = slices.Clone(s.Feeds), slices.Clone(s.Problems), s.Drill.Clone()
	return s
}

// Changed gets a value when the snapshot has changed. It is for one reader.
func (d *Driver) Changed() <-chan struct{} { return d.changed }

// post hands f to Run's goroutine. It never blocks.
func (d *Driver) post(f func()) {
	d.mu.Lock()
	d.posts = append(d.posts, f)
	d.mu.Unlock()
	d.poke()
}

func (d *Driver) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
