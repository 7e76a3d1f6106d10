package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/wake"
)

// Options is what an agent is made of.
type Options struct {
	Config  Config
	Version string // for people
	Boot    string // this boot's id
	// Virtualization is what this machine runs in; empty: its own hardware, or not known.
	Virtualization string
	Chain          []shutdown.Executor
	Wall           func(context.Context, string) // tells the people on this machine; nil: nobody
	Listen         api.Listener                  // nil: api.Listen
	Dial           api.Dialer                    // nil: net.Dialer's
	Exec           shutdown.Runner               // runs hooks and the programs of alarms; nil: shutdown.Exec
	Waking         Waking                        // how this machine is woken; nil: wake.Machine
	// Before is the agent that ran by the former configuration in this process, all
	// of whose tasks have ended; nil: there was none.
	Before *Agent
	Now    func() power.Uptime
	// FS is where the journal and what a restart must know lie; nil: the real disk.
	// The racks' keys are always on the real one.
	FS  journal.FS
	Log *slog.Logger
}

// Agent is the parts of one node's daemon.
type Agent struct {
	cfg     Config
	version string
	boot    string
	guest   string // what it runs in
	now     func() power.Uptime
	log     *slog.Logger
	listen  api.Listener
	dial    api.Dialer
	exec    shutdown.Runner
	waking  Waking
	journal *journal.Writer
	saver   *journal.Saver // the masters' last good addresses
	state   *journal.Saver // where the driver is, for a crash
	driver  *node.Driver
	pulse   *daemon.Pulse
	lan     *lan
	alarms  *alarm.Sender
	joined  chan *session // sessions to begin
	over    chan struct{} // closed when no session is begun any more
	handed  []*session    // those that an agent before had; nil: the disk has to be asked
	busy    atomic.Int32  // joins and leaves under way

	mu       sync.Mutex // guards everything that follows
	good     map[string]string
	sessions []*session
	loaded   bool             // what this node joined is known
	trouble  map[string]error // by problem name; nil: over
}

// New puts an agent together. Nothing runs yet and nothing is touched.
func New(o Options) (*Agent, error) {
	cfg := o.Config
	a := &Agent{
		cfg: cfg, version: o.Version, boot: o.Boot, guest: o.Virtualization, now: o.Now, log: o.Log, listen: o.Listen, dial: o.Dial, exec: o.Exec, waking: o.Waking,
		good: map[string]string{}, trouble: map[string]error{}, joined: make(chan *session), over: make(chan struct{}),
	}
	if a.listen == nil {
		a.listen = api.Listen
	}
	if a.dial == nil {
		a.dial = new(net.Dialer).DialContext
	}
	if a.waking == nil {
		a.waking = wake.Machine{}
	}
	a.lan = a.newLAN()
	a.alarms = a.newAlarms(o.FS)
	a.journal = journal.NewWriter(journal.WriterOptions{
		Path: filepath.Join(cfg.Data, "journal.jsonl"), Boot: o.Boot, FS: o.FS, Log: o.Log,
		Now: func() time.Duration { return time.Duration(a.now()) },
	})
	saver := func(dir, name, cost string) *journal.Saver {
		return journal.NewSaver(journal.SaverOptions{Path: filepath.Join(dir, name), Cost: cost, FS: o.FS, Log: o.Log})
	}
	a.saver = saver(cfg.Data, "addresses.json", "a restart tries the configured addresses first")
	a.state = saver(cfg.Run, "state.json", "a crash of the agent forgets its countdown")
	var err error
	a.driver, err = node.NewDriver(node.Options{
		Name: cfg.Name, Settings: cfg.Settings, Chain: o.Chain, Wall: o.Wall,
		State: a.state, BootID: o.Boot, Journal: a.journal, Problems: a.problems, Tell: a.tell, Exec: o.Exec, Waking: a.waking, Now: o.Now, Log: o.Log,
	})
	a.pulse = &daemon.Pulse{Name: "what drives this node", Ask: func(answer func()) { a.driver.Ping(answer) }}
	if o.Before != nil {
		a.inherit(o.Before)
	}
	return a, err
}

// Tasks returns everything that runs for the agent's whole life.
func (a *Agent) Tasks() []daemon.Task {
	tasks := []daemon.Task{
		a.journal, a.saver, a.state, a.driver, a.alarms,
		daemon.Func("reports", a.runReports),
		daemon.Func("sessions", a.runSessions),
		daemon.Func("socket", a.runSocket),
	}
	if a.cfg.Listen != "" {
		tasks = append(tasks, daemon.Func("node service", a.runNodeService))
	}
	if a.lan != nil {
		tasks = append(tasks, daemon.Func("found", a.runFound))
	}
	return append(tasks, a.lan.tasks()...)
}

// runReports wakes every session when the driver's view changed.
func (a *Agent) runReports(ctx context.Context) error {
	for {
		select {
		case <-a.driver.Changed():
		case <-ctx.Done():
			return nil
		}
		for _, s := range a.allSessions() {
			select {
			case s.reports <- struct{}{}:
			default:
			}
		}
	}
}

// runSessions runs a session for each rack, those joined later too.
func (a *Agent) runSessions(ctx context.Context) error {
	defer close(a.over)
	g, ctx := errgroup.WithContext(ctx)
	loaded := make(chan []*session, 1)
	if a.handed != nil {
		loaded <- a.handed
	} else {
		go func() { loaded <- a.load() }() // not in g: a disk that hangs must not keep it from ending
	}
	for {
		select {
		case all := <-loaded:
			if len(all) == 0 && len(a.allSessions()) == 0 {
				a.log.Info("this node has joined no rack; waiting for: upsagent join TOKEN")
			}
			for _, s := range all {
				a.begin(ctx, g, s)
			}
			a.mu.Lock()
			a.loaded = true
			a.mu.Unlock()
			a.driver.LookAgain()
		case s := <-a.joined:
			a.begin(ctx, g, s)
		case <-ctx.Done():
			return g.Wait()
		}
	}
}

// start has a session begun, however long whoever asked for it waits: a caller that
// hangs up must not leave this node without its master.
func (a *Agent) start(s *session) {
	select {
	case a.joined <- s:
	case <-a.over: // the agent stops; one that takes over begins it
		a.mu.Lock()
		a.sessions = append(a.sessions, s)
		a.mu.Unlock()
	}
}

// begin makes s one of the sessions and runs it.
func (a *Agent) begin(ctx context.Context, g *errgroup.Group, s *session) {
	ctx, s.end = context.WithCancel(ctx)
	a.mu.Lock()
	a.sessions = append(a.sessions, s)
	a.mu.Unlock()
	a.driver.LookAgain()
	a.announce()
	g.Go(func() error {
		defer close(s.ended)
		return s.Run(ctx)
	})
}

// load reads what this node has joined. It may wait for the disk.
func (a *Agent) load() []*session {
	good := map[string]string{}
	if err := a.saver.Load(&good); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("cannot read the masters' last addresses; the configured ones are tried", "err", err)
	}
	racks, err := loadRacks(a.cfg.Data)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.good = good
	if err != nil {
		a.log.Error("cannot use a rack that this node joined", "err", err)
		a.trouble[health.Identity] = err
	}
	var all []*session
	for _, r := range racks {
		all = append(all, newSession(a, r))
	}
	return all
}

// runSocket serves the local socket until ctx ends.
func (a *Agent) runSocket(ctx context.Context) error {
	return api.Serve(ctx, func() (*grpc.Server, net.Listener, error) {
		l, err := a.listen("unix", a.cfg.Socket)
		if err != nil {
			return nil, nil, err
		}
		srv := api.NewServer(api.LocalCredentials(), api.IdentifyLocal)
		upsv1.RegisterNodeServiceServer(srv, nodeService{a: a})
		api.RegisterHealth(srv, a.health(ctx.Done()))
		upsv1.RegisterPowerServiceServer(srv, passOn{a: a})
		return srv, l, nil
	}, farewell, a.told(health.Socket))
}

// runNodeService serves whoever of the rack asks this node itself.
func (a *Agent) runNodeService(ctx context.Context) error {
	return api.Serve(ctx, func() (*grpc.Server, net.Listener, error) {
		l, err := a.listen("tcp", a.cfg.Listen)
		if err != nil {
			return nil, nil, fmt.Errorf("nobody can ask this node itself: cannot listen on %s: %w; free it, or set listen in agent.toml", a.cfg.Listen, err)
		}
		creds := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: a.serverTLS})
		srv := api.NewServer(creds, a.identify)
		upsv1.RegisterNodeServiceServer(srv, nodeService{a: a})
		api.RegisterHealth(srv, a.health(ctx.Done()))
		return srv, l, nil
	}, farewell, a.told(health.Network))
}

// told returns what takes the trouble of that name; nil ends it.
func (a *Agent) told(name string) func(error) {
	return func(err error) {
		if err != nil {
			a.log.Error(err.Error(), "problem", name)
		}
		a.mu.Lock()
		a.trouble[name] = err
		a.mu.Unlock()
		a.driver.LookAgain()
	}
}

// allSessions returns the sessions there are now.
func (a *Agent) allSessions() []*session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*session(nil), a.sessions...)
}

// hello says who attaches.
func (a *Agent) hello() *upsv1.Hello {
	return &upsv1.Hello{
		Role: a.cfg.Role, Version: a.version, Listen: a.cfg.Listen, BootId: a.boot,
		WaitFor: a.cfg.Settings.WaitFor, WaitLimit: durationpb.New(a.cfg.Settings.WaitLimit),
		Policy: api.FromPolicy(a.cfg.Settings.Policy(), a.cfg.Settings.Need), Macs: a.macs(), Virtualization: a.guest,
	}
}

// report returns the node's full present state for the wire.
func (a *Agent) report() *upsv1.NodeReport {
	snap := a.driver.Snapshot()
	r := api.FromView(snap.View, snap.Problems, a.now())
	r.Feeds, r.StopTime = snap.Feeds, durationpb.New(snap.StopTime)
	r.Methods, r.Wake = a.cfg.Settings.Methods, snap.Wake
	r.Drill = snap.Drill.ID != "" && !snap.Drill.Over
	return r
}

// problems returns what is wrong with this node that its driver can't know.
func (a *Agent) problems() []health.Problem {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ps []health.Problem
	for _, name := range slices.Sorted(maps.Keys(a.trouble)) {
		if err := a.trouble[name]; err != nil {
			ps = append(ps, health.Problem{Name: name, Text: err.Error()})
		}
	}
	if err := a.lan.trouble(); err != nil {
		ps = append(ps, health.Problem{Name: health.MDNS, Text: err.Error() + "; until then masters have to be named, or set mdns = false in [discovery]"})
	}
	if err := a.alarms.Err(); err != nil {
		ps = append(ps, health.Problem{Name: health.AlarmUnsent, Text: err.Error()})
	}
	if a.loaded && len(a.sessions) == 0 {
		ps = append(ps, health.Problem{Name: health.NotJoined, Text: "nobody tells this node of a power failure: run upsagent join TOKEN"})
	}
	return ps
}

// Resumed tells the node that this machine was asleep.
func (a *Agent) Resumed(asleep time.Duration) { a.driver.Resumed(asleep) }
