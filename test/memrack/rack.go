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

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lastwatt/lastwatt/agent"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Rack is one master on a sim port and the agents that joined it, each a process
// that can be stopped and started, all on one [Network].
type Rack struct {
	t      *testing.T
	Net    *Network
	dir    string
	start  time.Time
	master *process
	config string // extra text of master.toml
	host   machine
	nodes  map[string]*Node
}

// machine is what a daemon runs on.
type machine struct {
	boot string
	born time.Time         // when it was switched on
	off  shutdown.Executor // how it is powered off
}

// now is the machine's clock.
func (m machine) now() power.Uptime { return power.Uptime(time.Since(m.born)) }

// Node is one machine with an agent.
type Node struct {
	name    string
	config  string
	machine machine
	process *process
	// Offs are the moments at which a power-off was asked for, since the rack began.
	mu   sync.Mutex
	offs []time.Duration
}

// process is a daemon's tasks.
type process struct {
	cancel context.CancelFunc
	done   chan error
}

// New starts a master; extra is appended to its master.toml. It must be called
// inside a synctest bubble and is stopped by the test's end.
func New(t *testing.T, extra string) *Rack {
	r := newRack(t, extra)
	r.StartMaster()
	return r
}

// newRack returns a rack in which nothing runs yet. Every machine was switched on
// an hour before.
func newRack(t *testing.T, extra string) *Rack {
	r := &Rack{t: t, Net: NewNetwork(), dir: t.TempDir(), start: time.Now(), config: extra, nodes: map[string]*Node{}}
	r.host = r.switchedOn(shutdown.None())
	return r
}

func (r *Rack) switchedOn(off shutdown.Executor) machine {
	return machine{boot: "boot", born: r.start.Add(-time.Hour), off: off}
}

// Stop ends every process. Call it before the bubble ends.
func (r *Rack) Stop() {
	for _, n := range r.nodes {
		n.process.stop()
	}
	r.StopMaster()
	synctest.Wait()
}

// StartMaster starts the master on what its folder has.
func (r *Rack) StartMaster() {
	r.t.Helper()
	dir := filepath.Join(r.dir, "master")
	text := fmt.Sprintf("name = \"rack1\"\nlisten = \"master:8493\"\nsocket = %q\ndata = %q\nrun = %q\n[discovery]\nmdns = false\n[[ups]]\nname = \"main\"\nport = \"sim\"\n%s",
		dir+"/master.sock", dir+"/data", dir+"/run", r.config)
	cfg, err := master.ParseConfig("master.toml", []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := master.New(master.Options{Config: cfg, Boot: r.host.boot, Listen: r.Net.Listen, Dial: r.Net.Dialer("master"), Chain: []shutdown.Executor{r.host.off}, Now: r.host.now, Log: quiet()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.master = run(m.Tasks())
}

// StopMaster stops the master in order: it says goodbye.
func (r *Rack) StopMaster() { r.master.stop() }

// Join starts an agent with extra appended to its agent.toml and makes it join.
func (r *Rack) Join(name, extra string) *Node {
	r.t.Helper()
	n := r.Add(name, extra)
	if err := r.JoinBy(n, r.Token()); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// Add starts an agent with extra appended to its agent.toml.
func (r *Rack) Add(name, extra string) *Node {
	r.t.Helper()
	n := &Node{name: name, config: extra}
	n.machine = r.switchedOn(recorder{r, n})
	r.nodes[name] = n
	r.StartAgent(n)
	synctest.Wait()
	return n
}

// JoinBy makes a running agent join by a token.
func (r *Rack) JoinBy(n *Node, token string) error {
	_, err := upsv1.NewNodeServiceClient(r.local(r.agentDir(n)+"/agent.sock")).JoinRack(r.t.Context(),
		&upsv1.JoinRackRequest{Token: token, Master: "master:8493"})
	return err
}

// Token makes a token.
func (r *Rack) Token() string {
	r.t.Helper()
	tok, err := upsv1.NewControlServiceClient(r.Client()).CreateToken(r.t.Context(), &upsv1.CreateTokenRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return tok.GetToken()
}

func (r *Rack) agentDir(n *Node) string { return filepath.Join(r.dir, n.name) }

// StartAgent starts the node's agent on what its folder has.
func (r *Rack) StartAgent(n *Node) {
	r.t.Helper()
	dir := r.agentDir(n)
	text := fmt.Sprintf("name = %q\nlisten = %q\nsocket = %q\ndata = %q\nrun = %q\nobey_sim = true\n[discovery]\nmdns = false\n%s",
		n.name, n.name+":8494", dir+"/agent.sock", dir+"/data", dir+"/run", n.config)
	cfg, err := agent.ParseConfig("agent.toml", []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		Config: cfg, Boot: n.machine.boot, Chain: []shutdown.Executor{n.machine.off},
		Listen: r.Net.Listen, Dial: r.Net.Dialer(n.name), Now: n.machine.now, Log: quiet(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	n.process = run(a.Tasks())
}

// StopAgent stops the node's agent in order: it says that it goes.
func (r *Rack) StopAgent(n *Node) { n.process.stop() }

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

// Client returns a connection to the master's local socket, as root.
func (r *Rack) Client() *grpc.ClientConn {
	return r.local(filepath.Join(r.dir, "master", "master.sock"))
}

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

// run runs a daemon's tasks without its signals.
func run(tasks []daemon.Task) *process {
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		g.Go(func() error { return t.Run(ctx) })
	}
	p := &process{cancel: cancel, done: make(chan error, 1)}
	go func() { p.done <- g.Wait() }()
	return p
}

func (p *process) stop() {
	if p.cancel != nil {
		p.cancel()
		<-p.done
		p.cancel = nil
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

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
