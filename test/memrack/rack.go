package memrack

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lastwatt/lastwatt/agent"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Rack is masters, each with its UPSes, and the agents that joined them, each a
// process that can be stopped and started, all on one [Network].
type Rack struct {
	t   *testing.T
	Net *Network
	// Exec runs the hooks; nil: they are real programs, which a bubble has no time for.
	Exec func(context.Context, shutdown.Cmd) (string, error)
	// Lift lifts the job timeout of systemd's power-off; nil: nothing happens.
	Lift    func(ctx context.Context, on bool) error
	log     *slog.Logger // of every daemon; nil: nobody reads them
	dir     string
	start   time.Time
	masters []*Master // the first is the one that a method without a name is about
	nodes   map[string]*Node
}

// Master is one machine with a master.
type Master struct {
	name    string
	host    string      // on the network
	config  string      // its [[ups]] and what follows
	open    line.Opener // nil: it has no port but sim
	machine *machine
	process *process
	daemon  *master.Master
	boots   int
}

// Node is one machine with an agent.
type Node struct {
	name    string
	config  string
	machine *machine
	process *process
	daemon  *agent.Agent
	waking  *waking
	boots   int
	// Offs are the moments at which a power-off was asked for, since the rack began.
	mu   sync.Mutex
	offs []time.Duration
}

// simUPSText is a UPS on a sim port.
const simUPSText = "[[ups]]\nname = \"main\"\nport = \"sim\"\n"

// New starts a master on a sim port; extra is appended to its master.toml. It must be
// called inside a synctest bubble and is stopped by the test's end.
func New(t *testing.T, extra string) *Rack {
	r := newRack(t)
	r.addMaster("rack1", "master", simUPSText+extra, r.switchedOn(shutdown.None()))
	r.StartMaster()
	return r
}

// newRack returns a rack without anybody.
func newRack(t *testing.T) *Rack {
	return &Rack{t: t, Net: NewNetwork(), dir: t.TempDir(), start: time.Now(), nodes: map[string]*Node{}}
}

// switchedOn returns a machine that was switched on an hour before.
func (r *Rack) switchedOn(off shutdown.Executor) *machine {
	return &machine{boot: "boot", born: r.start.Add(-time.Hour), off: off}
}

// Stop ends every process. Call it before the bubble ends.
func (r *Rack) Stop() {
	for _, n := range r.nodes {
		n.process.stop(nil)
	}
	for _, m := range r.masters {
		m.process.stop(nil)
	}
	synctest.Wait()
}

// addMaster adds a master that does not run yet.
func (r *Rack) addMaster(name, host, config string, on *machine) *Master {
	m := &Master{name: name, host: host, config: config, machine: on}
	r.masters = append(r.masters, m)
	return m
}

// StartMaster starts the first master on what its folder has.
func (r *Rack) StartMaster() {
	r.t.Helper()
	r.startMaster(r.masters[0])
}

// StopMaster stops the first master in order: it says goodbye.
func (r *Rack) StopMaster() { r.masters[0].process.stop(nil) }

func (r *Rack) startMaster(m *Master) {
	r.t.Helper()
	cfg, err := r.masterConfig(m, m.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.runMaster(m, cfg, nil)
}

func (r *Rack) lift(ctx context.Context, on bool) error {
	if r.Lift == nil {
		return nil
	}
	return r.Lift(ctx, on)
}

func (r *Rack) masterDir(m *Master) string { return filepath.Join(r.dir, m.host) }

func (r *Rack) masterConfig(m *Master, config string) (master.Config, error) {
	dir := r.masterDir(m)
	return master.ParseConfig("master.toml", fmt.Appendf(nil, "name = %q\nlisten = %q\nsocket = %q\ndata = %q\nrun = %q\n[discovery]\nmdns = false\n%s",
		m.name, m.host+":8493", dir+"/master.sock", dir+"/data", dir+"/run", config))
}

// runMaster runs by cfg, after the master before in the same process, if there was one.
func (r *Rack) runMaster(m *Master, cfg master.Config, before *master.Master) {
	r.t.Helper()
	on := m.machine
	d, err := master.New(master.Options{
		Config: cfg, Boot: on.boot, Chain: []shutdown.Executor{on.off}, Before: before,
		Exec: r.Exec, Lift: r.lift, Wake: r.waker(m), Waking: m.waking(r), FS: on.fs(), OpenPort: m.open, Listen: r.Net.Listen, Dial: r.Net.Dialer(m.host), Probe: r.Net.Prober(m.host), Now: on.now, Log: r.logger(m.name),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	m.daemon, m.process = d, run(d.Tasks())
}

// reloadMaster makes m run by another text of its configuration, as a SIGHUP does, or
// says why it does not.
func (r *Rack) reloadMaster(m *Master, config string) error {
	cfg, err := r.masterConfig(m, config)
	if err = mayFollow(m.daemon, cfg, err); err != nil {
		return err
	}
	m.process.stop(daemon.ErrReload)
	m.config = config
	r.runMaster(m, cfg, m.daemon)
	return nil
}

// mayFollow says why a daemon may not be replaced by one with c, as a SIGHUP asks, and
// tells it so; err is what is wrong with c itself.
func mayFollow[C any](d interface {
	Accepts(c C) error
	Idle() error
	NotAdopted(err error)
}, c C, err error) error {
	if err == nil {
		err = d.Accepts(c)
	}
	if err == nil {
		err = d.Idle()
	}
	d.NotAdopted(err)
	return err
}

// Join starts an agent with extra appended to its agent.toml and makes it join.
func (r *Rack) Join(name, extra string) *Node {
	r.t.Helper()
	n := r.Add(name, extra)
	if err := r.JoinBy(n, r.Token()); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// Add starts an agent with extra appended to its agent.toml. It obeys sim ports.
func (r *Rack) Add(name, extra string) *Node {
	r.t.Helper()
	n := &Node{name: name, config: "obey_sim = true\n" + mdnsOff + extra, waking: newWaking(r.start, len(r.nodes))}
	n.machine = r.switchedOn(recorder{r, n})
	r.nodes[name] = n
	r.StartAgent(n)
	synctest.Wait()
	return n
}

const mdnsOff = "[discovery]\nmdns = false\n"

// JoinBy makes a running agent join the first master's rack by a token.
func (r *Rack) JoinBy(n *Node, token string) error { return r.joinAt(n, r.masters[0], token) }

func (r *Rack) joinAt(n *Node, m *Master, token string) error {
	_, err := upsv1.NewNodeServiceClient(r.local(r.agentDir(n)+"/agent.sock")).JoinRack(r.t.Context(),
		&upsv1.JoinRackRequest{Token: token, Master: m.host + ":8493"})
	return err
}

// Token makes a token of the first master.
func (r *Rack) Token() string {
	r.t.Helper()
	return r.tokenOf(r.masters[0], "")
}

// tokenOf makes a token for a new node, or for one that takes another's place.
func (r *Rack) tokenOf(m *Master, replace string) string {
	r.t.Helper()
	tok, err := upsv1.NewControlServiceClient(r.clientOf(m)).CreateToken(r.t.Context(), &upsv1.CreateTokenRequest{Replace: replace})
	if err != nil {
		r.t.Fatal(err)
	}
	return tok.GetToken()
}

func (r *Rack) agentDir(n *Node) string { return filepath.Join(r.dir, n.name) }

// StartAgent starts the node's agent on what its folder has.
func (r *Rack) StartAgent(n *Node) {
	r.t.Helper()
	cfg, err := r.agentConfig(n, n.config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.runAgent(n, cfg, nil)
}

func (r *Rack) agentConfig(n *Node, config string) (agent.Config, error) {
	dir := r.agentDir(n)
	return agent.ParseConfig("agent.toml", fmt.Appendf(nil, "name = %q\nlisten = %q\nsocket = %q\ndata = %q\nrun = %q\n%s",
		n.name, n.name+":8494", dir+"/agent.sock", dir+"/data", dir+"/run", config))
}

// runAgent is what runMaster is for a master.
func (r *Rack) runAgent(n *Node, cfg agent.Config, before *agent.Agent) {
	r.t.Helper()
	on := n.machine
	a, err := agent.New(agent.Options{
		Config: cfg, Boot: on.boot, Chain: []shutdown.Executor{on.off}, Before: before,
		Exec: r.Exec, Waking: n.waking, FS: on.fs(), Listen: r.Net.Listen, Dial: r.Net.Dialer(n.name), Now: on.now, Log: r.logger(n.name),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	n.daemon, n.process = a, run(a.Tasks())
}

// reloadAgent is what reloadMaster is for a master.
func (r *Rack) reloadAgent(n *Node, config string) error {
	cfg, err := r.agentConfig(n, config)
	if err = mayFollow(n.daemon, cfg, err); err != nil {
		return err
	}
	n.process.stop(daemon.ErrReload)
	n.config = config
	r.runAgent(n, cfg, n.daemon)
	return nil
}

// StopAgent stops the node's agent in order: it says that it goes.
func (r *Rack) StopAgent(n *Node) { n.process.stop(nil) }

// Offs returns when power-offs were asked for, since the rack began.
func (n *Node) Offs() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]time.Duration(nil), n.offs...)
}

// Sim sets the UPS and lets everything happen that follows at once.
func (r *Rack) Sim(s upsv1.Status) {
	r.t.Helper()
	if _, err := upsv1.NewControlServiceClient(r.Client()).Simulate(r.t.Context(), &upsv1.SimulateRequest{Status: s}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// Advance lets d pass on everybody's clock.
func (r *Rack) Advance(d time.Duration) {
	time.Sleep(d) // the bubble's time
	synctest.Wait()
}

// Status returns what the master knows.
func (r *Rack) Status() *upsv1.MasterStatus {
	r.t.Helper()
	st, err := upsv1.NewPowerServiceClient(r.Client()).GetStatus(r.t.Context(), &upsv1.GetStatusRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return st.GetMasters()[0]
}

// Node returns what the master knows of a node; nil: nothing.
func (r *Rack) Node(name string) *upsv1.NodeStatus {
	r.t.Helper()
	for _, n := range r.Status().GetNodes() {
		if n.GetName() == name {
			return n
		}
	}
	return nil
}

// Own returns what a node says of itself.
func (r *Rack) Own(n *Node) *upsv1.NodeReport {
	r.t.Helper()
	st, err := upsv1.NewNodeServiceClient(r.local(r.agentDir(n)+"/agent.sock")).GetNodeStatus(r.t.Context(), &upsv1.GetNodeStatusRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return st.GetNode().GetReport()
}

// Client returns a connection to the first master's local socket, as root.
func (r *Rack) Client() *grpc.ClientConn { return r.clientOf(r.masters[0]) }

func (r *Rack) clientOf(m *Master) *grpc.ClientConn { return r.local(r.masterDir(m) + "/master.sock") }

func (r *Rack) local(socket string) *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) {
			return r.Net.Dialer("root")(ctx, "unix", a)
		}))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// recorder is a power-off that is accepted and only noted.
type recorder struct {
	r *Rack
	n *Node
}

func (x recorder) String() string               { return "recorder" }
func (x recorder) Check(context.Context) error  { return nil }
func (x recorder) Cancel(context.Context) error { return shutdown.ErrNoCancel }
func (x recorder) PowerOff(context.Context) error {
	x.n.mu.Lock()
	defer x.n.mu.Unlock()
	x.n.offs = append(x.n.offs, time.Since(x.r.start))
	return nil
}

// logger is the log of a daemon.
func (r *Rack) logger(of string) *slog.Logger {
	if r.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.log.With("of", of)
}

// Since returns how long ago the rack began.
func (r *Rack) Since() time.Duration { return time.Since(r.start) }

// Forget removes what a stopped agent kept in its run folder.
func (r *Rack) Forget(n *Node) {
	r.t.Helper()
	if err := os.RemoveAll(filepath.Join(r.agentDir(n), "run")); err != nil {
		r.t.Fatal(err)
	}
}

// AskAgent asks for the status of all on a node's own socket.
func (r *Rack) AskAgent(n *Node) *upsv1.GetStatusResponse {
	r.t.Helper()
	st, err := upsv1.NewPowerServiceClient(r.local(r.agentDir(n)+"/agent.sock")).GetStatus(r.t.Context(), &upsv1.GetStatusRequest{All: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}
