package master

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// Options is what a master is made of.
type Options struct {
	Config  Config
	Version string // for people
	Boot    string // this boot's id
	// Virtualization is what this machine runs in; empty: its own hardware, or not known.
	Virtualization string
	// Chain and Wall are for the own host; unused without [node].
	Chain []shutdown.Executor
	Wall  func(context.Context, string)
	// Stored are descriptors that an earlier run left with the service manager, by
	// name; Store leaves one. Nil: there is no such manager.
	Stored map[string]*os.File
	Store  func(name string, f *os.File) error
	Drop   func(name string) error // forgets one that was left
	// Before is the master that ran by the former configuration in this process, all
	// of whose tasks have ended; nil: there was none.
	Before *Master
	Listen api.Listener // nil: api.Listen
	Dial   api.Dialer   // nil: net.Dialer's
	// Probe asks whether a node's machine is there; nil: the real network is asked.
	Probe Prober
	// Exec runs hooks and the programs of alarms; nil: shutdown.Exec.
	Exec shutdown.Runner
	Now  func() power.Uptime
	// Wake wakes a node by its network cards; nil: wake.Send.
	Wake Waker
	// Waking is how the own host is woken; nil: wake.Machine.
	Waking node.Waking
	// Late says what keeps this system from running the late unit; nil: nobody is asked.
	Late func() error
	// OpenPort opens a UPS's port; nil: this system's serial ports.
	OpenPort line.Opener
	// Lift lifts the job timeout of systemd's poweroff.target, or puts it back; nil:
	// [shutdown.LiftJobTimeout].
	Lift func(ctx context.Context, on bool) error
	// FS is where the journal and what a restart must know lie; nil: the real disk.
	// The rack's keys are always on the real one.
	FS  journal.FS
	Log *slog.Logger
}

// Master is the parts of the master's daemon.
type Master struct {
	cfg       Config
	version   string
	boot      string
	now       func() power.Uptime
	log       *slog.Logger
	listen    api.Listener
	dial      api.Dialer
	exec      shutdown.Runner
	hub       *hub
	teller    *teller
	hooks     *rackHooks
	proving   *proving
	planning  *planning
	probing   *probing
	recovery  *recovery
	batteries *batteries
	events    *events
	reports   *reports
	history   chan struct{} // of size one: held by who reads the journal
	journal   *journal.Writer
	saver     *journal.Saver
	nodeState *journal.Saver                  // where the own host's driver is, for a crash
	authority atomic.Pointer[trust.Authority] // nil until the disk gave it
	sims      map[string]*simSource
	runners   []*upsRunner
	host      *host
	seals     *seals
	tries     *trust.Limiter
	door      atomic.Pointer[trust.Listener] // nil until the network is listened on
	lan       *lan
	alarms    *alarm.Sender
	state     runState // what an earlier run on this boot left
	pulses    []*daemon.Pulse
	cutting   daemon.Task // tells what keeps the load from being cut
	ports     *ports      // open ones, from one master to the next

	mu      sync.Mutex       // guards trouble
	trouble map[string]error // by problem name; nil: over
}

// New puts a master together and reads what an earlier run on this boot left.
// Nothing runs yet and no port is opened.
func New(o Options) (*Master, error) {
	cfg := o.Config
	m := &Master{
		cfg: cfg, version: o.Version, boot: o.Boot, now: o.Now, log: o.Log, listen: o.Listen, dial: o.Dial, exec: o.Exec,
		sims: map[string]*simSource{}, trouble: map[string]error{}, tries: trust.NewLimiter(), history: make(chan struct{}, 1),
	}
	m.lan = m.newLAN()
	if m.listen == nil {
		m.listen = api.Listen
	}
	if m.dial == nil {
		m.dial = new(net.Dialer).DialContext
	}
	m.journal = journal.NewWriter(journal.WriterOptions{
		Path: m.journalPath(), Boot: o.Boot, FS: o.FS, Log: o.Log, Mark: history.OfAnOutage,
		Now: func() time.Duration { return time.Duration(m.now()) },
	})
	m.events = &events{journal: m.journal, now: o.Now, boot: o.Boot, log: o.Log}
	m.hub = newHub(o.Now, func(e history.Event) { m.events.add(e) })
	m.hub.name, m.hub.save = cfg.Name, m.save
	m.alarms = m.newAlarms(o.FS)
	m.hooks = newRackHooks(m)
	m.teller = m.newTeller(m.hooks.put, m.tellAlarms)
	m.reports = &reports{m: m, tell: m.teller.report}
	m.saver = o.saver(cfg.Run, "master.json", "a restart of the master forgets the outage's age and people's orders")
	m.ports = newPorts(o)
	if o.Before != nil {
		m.saver.Inherit(o.Before.saver)
	}
	m.proving = newProving(m, o.FS, o.saver(cfg.Data, "proved.json", "a restart of the master forgets what outages have proved"))
	m.planning = newPlanning(m)
	m.probing = newProbing(m.hub, o)
	m.recovery = newRecovery(m, o)
	m.state = loadRunState(m.saver, o.Boot, o.Log)
	m.batteries = newBatteries(m, o)
	for _, u := range cfg.UPS {
		m.addUPS(u, o)
	}
	m.seals = m.newSeals(o)
	if cfg.Node != nil {
		if err := m.addHost(o); err != nil {
			return nil, err
		}
	}
	if o.Before != nil {
		m.inherit(o.Before)
	}
	m.hub.restoreUp(m.state)
	m.hub.restoreOrders(m.state)
	m.recovery.restore()
	m.cutting = m.watchCut(o.FS, o.Late)
	m.pulses = m.vitals()
	m.ports.dropOthers()
	return m, nil
}

// saver returns a state file; cost is what is lost while it can't be written.
func (o Options) saver(dir, name, cost string) *journal.Saver {
	return journal.NewSaver(journal.SaverOptions{Path: filepath.Join(dir, name), Cost: cost, FS: o.FS, Log: o.Log})
}

// addHost puts the own host's node together.
func (m *Master) addHost(o Options) error {
	m.nodeState = o.saver(m.cfg.Run, "node.json", "a crash of the master forgets this host's countdown")
	d, err := node.NewDriver(node.Options{
		Name: m.cfg.Node.Name, Settings: m.cfg.Node.Settings, Chain: m.sealed(o.Chain), Wall: o.Wall,
		State: m.nodeState, BootID: o.Boot, Journal: m.journal, Tell: m.tellOwn, Exec: o.Exec, Waking: orMachine(o.Waking), Now: o.Now, Log: o.Log,
	})
	if err != nil {
		return err
	}
	m.host = newHost(*m.cfg.Node, m.cfg.Name, m.hub, d, m.now)
	m.hub.nodes[m.cfg.Node.Name].boot = m.boot
	m.hub.nodes[m.cfg.Node.Name].hello.Virtualization = o.Virtualization
	return nil
}

// Tasks returns everything that runs for the master's whole life.
func (m *Master) Tasks() []daemon.Task {
	tasks := []daemon.Task{
		m.journal, m.saver, m.alarms,
		m.seals,
		daemon.Func("network", m.runNetwork),
		daemon.Func("socket", m.runSocket),
		m.teller, m.hooks, m.reports, m.proving, m.proving.saver, m.planning, m.probing, m.recovery, m.recovery.saver,
		m.cutting, m.batteries,
	}
	for _, r := range m.runners {
		tasks = append(tasks, r, r.src)
	}
	if m.host != nil {
		tasks = append(tasks, m.nodeState, m.host, m.host.driver)
	}
	if m.cfg.Metrics.Listen != "" {
		tasks = append(tasks, daemon.Func("metrics", m.runMetrics))
	}
	return append(tasks, m.lan.tasks()...)
}

// Resumed tells the own host's node that this machine was asleep.
func (m *Master) Resumed(asleep time.Duration) {
	m.event("master/"+m.cfg.Name, "resumed", fmt.Sprintf("this machine was asleep for %s", asleep.Round(time.Second)))
	if m.host != nil {
		m.host.driver.Resumed(asleep)
	}
}

// event records what happened, for people. It never blocks.
func (m *Master) event(on, kind, text string) {
	m.events.add(history.Event{On: on, Kind: kind, Text: text})
}

// save puts what a restart must know on its way to disk. It never blocks.
func (m *Master) save() { m.saver.Put(m.hub.runState(m.boot)) }

// expectMembers makes the nodes on the roster known, who may attach.
func (m *Master) expectMembers() {
	for _, member := range m.authority.Load().Members() {
		if member.Role == trust.RoleNode {
			m.hub.expect(member.Name)
		}
	}
}

// status returns everything that the master knows now.
func (m *Master) status() *upsv1.MasterStatus {
	st := &upsv1.MasterStatus{Name: m.cfg.Name, Address: m.cfg.Listen, Version: m.version}
	m.hub.status(st)
	m.proving.fill(st)
	m.planning.fill(st)
	m.recovery.fill(st)
	now := m.now()
	st.Problems = append(st.Problems, api.FromEntries(m.teller.entries(m.found(), now), now)...)
	return st
}

// found returns everything that this master finds wrong; what the nodes say of
// themselves is in their reports.
func (m *Master) found() []health.Found {
	return slices.Concat(m.recovery.besides(m.hub.found()), m.recovery.found(), m.proving.found(), m.planning.found(), health.On("master/"+m.cfg.Name, m.problems()))
}

// goodbye is how long a stopping master tries to say that it goes.
const goodbye = time.Second

// runNetwork serves the rack over TLS. While it can't, that is a problem and tried
// again: this host's own protection doesn't hang on it. The rack's keys are read
// here and not at the start, so that a disk that hangs costs only the network.
func (m *Master) runNetwork(ctx context.Context) error {
	return api.Serve(ctx, func() (*grpc.Server, net.Listener, error) {
		if err := m.openTrust(); err != nil {
			return nil, nil, fmt.Errorf("no node hears this master: %w", err)
		}
		l, err := m.listen("tcp", m.cfg.Listen)
		if err != nil {
			return nil, nil, fmt.Errorf("no node hears this master: cannot listen on %s: %w; free it, or set listen in master.toml", m.cfg.Listen, err)
		}
		door := limited(l)
		creds := api.ServerTLS(
			func() *tls.Config { return m.authority.Load().ServerTLS() },
			func(c net.Conn, cs tls.ConnectionState) error {
				// Whoever is not admitted stays among those who may be displaced.
				if who, err := m.authority.Load().Identify(cs); err == nil {
					return door.Prove(c, who.Fingerprint)
				}
				return nil
			})
		m.door.Store(door)
		srv := api.NewServer(creds, m.identify)
		upsv1.RegisterTrustServiceServer(srv, trustService{m: m})
		m.log.Info("listening", "address", l.Addr().String())
		return m.offer(ctx, srv), door, nil
	}, goodbye, m.told(health.Network))
}

// openTrust reads the rack's keys and roster, or makes them at the first start.
func (m *Master) openTrust() error {
	if m.authority.Load() != nil {
		return nil
	}
	a, err := trust.OpenAuthority(filepath.Join(m.cfg.Data, "trust"), m.cfg.Name)
	if err != nil {
		return err
	}
	m.authority.Store(a)
	m.expectMembers()
	m.hub.restoreOrders(m.state)
	return nil
}

// runSocket serves the people on this host.
func (m *Master) runSocket(ctx context.Context) error {
	return api.Serve(ctx, func() (*grpc.Server, net.Listener, error) {
		l, err := m.listen("unix", m.cfg.Socket)
		if err != nil {
			return nil, nil, err
		}
		return m.offer(ctx, api.NewServer(api.LocalCredentials(), api.IdentifyLocal)), l, nil
	}, goodbye, m.told(health.Socket))
}

// offer gives srv what both doors offer; when ctx ends the streams say goodbye.
func (m *Master) offer(ctx context.Context, srv *grpc.Server) *grpc.Server {
	upsv1.RegisterPowerServiceServer(srv, powerService{m: m, stopping: ctx.Done()})
	upsv1.RegisterControlServiceServer(srv, controlService{m: m})
	api.RegisterHealth(srv, m.health(ctx.Done()))
	return srv
}

// told returns what takes the trouble of that name; nil ends it.
func (m *Master) told(name string) func(error) {
	return func(err error) {
		if err != nil {
			m.log.Error(err.Error(), "problem", name)
		}
		m.mu.Lock()
		m.trouble[name] = err
		m.mu.Unlock()
		m.hub.look()
	}
}
