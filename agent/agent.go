package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Options is what an agent is made of.
type Options struct {
	Config  Config
	Version string // for people
	Boot    string // this boot's id
	Chain   []shutdown.Executor
	Wall    func(context.Context, string) // tells the people on this machine; nil: nobody
	Listen  api.Listener                  // nil: api.Listen
	Dial    api.Dialer                    // nil: net.Dialer's
	Now     func() power.Uptime
	Log     *slog.Logger
}

// Agent is the parts of one node's daemon.
type Agent struct {
	cfg     Config
	version string
	boot    string
	now     func() power.Uptime
	log     *slog.Logger
	listen  api.Listener
	dial    api.Dialer
	journal *journal.Writer
	saver   *journal.Saver // the masters' last good addresses
	state   *journal.Saver // where the driver is, for a crash
	driver  *node.Driver
	joined  chan *session // sessions to begin

	mu       sync.Mutex // guards everything that follows
	good     map[string]string
	sessions []*session
	trouble  []policy.Problem // racks that can't be used
}

// New puts an agent together. Nothing runs yet and nothing but files is touched.
func New(o Options) (*Agent, error) {
	cfg := o.Config
	a := &Agent{cfg: cfg, version: o.Version, boot: o.Boot, now: o.Now, log: o.Log, listen: o.Listen, dial: o.Dial, good: map[string]string{}, joined: make(chan *session)}
	if a.listen == nil {
		a.listen = api.Listen
	}
	if a.dial == nil {
		a.dial = new(net.Dialer).DialContext
	}
	a.journal = journal.NewWriter(journal.WriterOptions{
		Path: filepath.Join(cfg.Data, "journal.jsonl"), Boot: o.Boot, Log: o.Log,
		Now: func() time.Duration { return time.Duration(o.Now()) },
	})
	addresses := filepath.Join(cfg.Data, "addresses.json")
	a.saver = journal.NewSaver(addresses, "a restart tries the configured addresses first", o.Log)
	if err := journal.Load(addresses, &a.good); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log.Warn("cannot read the masters' last addresses; the configured ones are tried", "err", err)
		a.good = map[string]string{}
	}
	a.state = journal.NewSaver(filepath.Join(cfg.Run, "state.json"), "a crash of the agent forgets its countdown", o.Log)
	racks, err := loadRacks(cfg.Data)
	if err != nil {
		o.Log.Error("cannot use a rack that this node joined", "err", err)
		a.trouble = append(a.trouble, policy.Problem{Name: "identity", Text: err.Error()})
	}
	for _, r := range racks {
		a.sessions = append(a.sessions, newSession(a, r))
	}
	a.driver, err = node.NewDriver(node.Options{
		Name: cfg.Name, Settings: cfg.Settings, Chain: o.Chain, Wall: o.Wall,
		State: a.state, BootID: o.Boot, Journal: a.journal, Now: o.Now, Log: o.Log,
	})
	return a, err
}

// Tasks returns everything that runs for the agent's whole life.
func (a *Agent) Tasks() []daemon.Task {
	tasks := []daemon.Task{
		a.journal, a.saver, a.state, a.driver,
		daemon.Func("reports", a.runReports),
		daemon.Func("sessions", a.runSessions),
		daemon.Func("socket", a.runSocket),
	}
	if a.cfg.Listen != "" {
		tasks = append(tasks, daemon.Func("node service", a.runNodeService))
	}
	return tasks
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
	g, ctx := errgroup.WithContext(ctx)
	all := a.allSessions()
	if len(all) == 0 {
		a.log.Info("this node has joined no rack; waiting for: upsagent join --master HOST:PORT TOKEN")
	}
	for _, s := range all {
		g.Go(func() error { return s.Run(ctx) })
	}
	for {
		select {
		case s := <-a.joined:
			a.mu.Lock()
			a.sessions = append(a.sessions, s)
			a.mu.Unlock()
			g.Go(func() error { return s.Run(ctx) })
		case <-ctx.Done():
			return g.Wait()
		}
	}
}

// runSocket serves the local socket until ctx ends.
func (a *Agent) runSocket(ctx context.Context) error {
	l, err := a.listen("unix", a.cfg.Socket)
	if err != nil {
		return err
	}
	srv := api.NewServer(api.LocalCredentials(), api.IdentifyLocal)
	upsv1.RegisterNodeServiceServer(srv, nodeService{a: a})
	upsv1.RegisterPowerServiceServer(srv, passOn{a: a})
	return serve(ctx, srv, l)
}

// listenRetry is how often a port that somebody else has is tried again.
const listenRetry = 10 * time.Second

// runNodeService serves whoever of the rack asks this node itself. Not being able
// to is told and tried again: protection doesn't hang on it.
func (a *Agent) runNodeService(ctx context.Context) error {
	for {
		l, err := a.listen("tcp", a.cfg.Listen)
		if err == nil {
			creds := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: a.serverTLS})
			srv := api.NewServer(creds, a.identify)
			upsv1.RegisterNodeServiceServer(srv, nodeService{a: a})
			return serve(ctx, srv, l)
		}
		a.log.Warn("nobody can ask this node itself", "err", fmt.Errorf("cannot listen on %s: %w", a.cfg.Listen, err))
		if !sleep(ctx, listenRetry) {
			return nil
		}
	}
}

// serve runs srv on l until ctx ends.
func serve(ctx context.Context, srv *grpc.Server, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { api.Stop(context.WithoutCancel(ctx), srv, farewell) })()
	if err := srv.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot serve on %s: %w", l.Addr(), err)
	}
	return nil
}

// allSessions returns the sessions there are now.
func (a *Agent) allSessions() []*session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*session(nil), a.sessions...)
}

// hello says who attaches.
func (a *Agent) hello() *upsv1.Hello {
	return &upsv1.Hello{Role: a.cfg.Role, Version: a.version, Listen: a.cfg.Listen, BootId: a.boot}
}

// report returns the node's full present state for the wire.
func (a *Agent) report() *upsv1.NodeReport {
	snap := a.driver.Snapshot()
	on := "node/" + a.cfg.Name
	r := api.FromView(snap.View, on, a.now())
	r.Feeds, r.StopTime = snap.Feeds, durationpb.New(snap.StopTime)
	a.mu.Lock()
	defer a.mu.Unlock()
	r.Problems = append(api.FromProblems(on, snap.Problems), api.FromProblems(on, a.trouble)...)
	return r
}

// Resumed tells the node that this machine was asleep.
func (a *Agent) Resumed(asleep time.Duration) { a.driver.Resumed(asleep) }
