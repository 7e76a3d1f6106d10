package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// demoNodes are the demo's machines: each waits longer than the one before it.
var demoNodes = []struct{ name, role, grace string }{
	{"web1", "compute", "3s"},
	{"db1", "database", "5s"},
	{"nas1", "storage", "10m"},
}

// Settle times short enough to watch, long enough for a busy machine to be quicker
// than a blip.
const (
	demoSettleFail = 600 * time.Millisecond
	demoMaster     = `name = "demo"
listen = %q
socket = %q
data = %q
run = %q
[discovery]
mdns = false
[[ups]]
name = "main"
port = "sim"
  [ups.settle]
  fail = %q
  batlow = "300ms"
  ok = "300ms"
[node]
role = "master"
obey_sim = true
  [node.policy]
  grace = "10m"
  [node.shutdown]
  method = ["none"]
`
	demoAgent = `name = %q
role = %q
listen = ""
socket = %q
data = %q
run = %q
obey_sim = true
[discovery]
mdns = false
[policy]
grace = %q
[shutdown]
method = ["none"]
`
)

// demo is a rack of real programs in a temporary folder.
type demo struct {
	c     *cli
	dir   string
	bin   map[string]string // program -> path
	plain bool              // no glyphs, and nothing is redrawn
	start time.Time
	procs []*process
	conn  *grpc.ClientConn  // the master's socket
	feed  chan seen         // what the master's Watch says
	last  picture           // the newest of it
	told  map[string]string // what the timeline told last
}

// say writes one line of the timeline.
func (d *demo) say(format string, args ...any) {
	said, at := cleanLines(fmt.Sprintf(format, args...)), time.Since(d.start).Seconds()
	if d.plain {
		said = strings.NewReplacer("✓ ", "as expected: ", "── ", "now: ", " → ", " to ").Replace(strings.Join(strings.Fields(said), " "))
		fmt.Fprintf(d.c.out, "%.2f seconds: %s\n", at, said)
		return
	}
	fmt.Fprintf(d.c.out, "%6.2f s  %s\n", at, said)
}

// programs finds the daemons beside this program.
func (c *cli) programs(names ...string) (map[string]string, error) {
	self, err := c.exe()
	if err != nil {
		return nil, fmt.Errorf("cannot find out where upsctl lies: %w", err)
	}
	found := map[string]string{}
	for _, name := range names {
		path := filepath.Join(filepath.Dir(self), name+filepath.Ext(self))
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("cannot start a demo: there is no %s beside %s; run 'make build', or copy it there", name, self)
		}
		found[name] = path
	}
	return found, nil
}

// startRack starts the master and the agents and makes them join.
func (d *demo) startRack(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	socket, err := d.startDaemon(ctx, "master", "upsmaster", func(dir, socket string) string {
		return fmt.Sprintf(demoMaster, address, socket, filepath.Join(dir, "data"), filepath.Join(dir, "run"), demoSettleFail)
	})
	if err != nil {
		return err
	}
	if d.conn, err = api.DialLocal(socket); err != nil {
		return err
	}
	for _, n := range demoNodes {
		_, err := d.startDaemon(ctx, n.name, "upsagent", func(dir, socket string) string {
			return fmt.Sprintf(demoAgent, n.name, n.role, socket, filepath.Join(dir, "data"), filepath.Join(dir, "run"), n.grace)
		})
		if err != nil {
			return err
		}
		if err := d.join(ctx, n.name, address); err != nil {
			return err
		}
	}
	watch, err := upsv1.NewPowerServiceClient(d.conn).Watch(ctx, &upsv1.WatchRequest{})
	if err != nil {
		return refused("watch the rack", err)
	}
	go d.receive(watch)
	return nil
}

// startDaemon writes a configuration, starts a program by it and waits until it
// answers on its socket.
func (d *demo) startDaemon(ctx context.Context, name, program string, config func(dir, socket string) string) (socket string, err error) {
	dir := filepath.Join(d.dir, name)
	socket = filepath.Join(dir, "sock")
	for _, folder := range []string{dir, filepath.Join(dir, "data"), filepath.Join(dir, "run")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return "", err
		}
	}
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(config(dir, socket)), 0o644); err != nil {
		return "", err
	}
	p, err := startProcess(name, filepath.Join(dir, "log"), d.bin[program], "run", "--config", file)
	if err != nil {
		return "", fmt.Errorf("cannot start %s: %w", name, err)
	}
	d.procs = append(d.procs, p)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for answers(ctx, socket) != nil {
		select {
		case <-look.C:
		case <-p.ended:
			return "", fmt.Errorf("%s ended before it answered: %w", name, p.err)
		case <-ctx.Done():
			return "", fmt.Errorf("%s does not answer at %s", name, socket)
		}
	}
	return socket, nil
}

// join makes an agent join by a token, by its own program.
func (d *demo) join(ctx context.Context, name, address string) error {
	token, err := upsv1.NewControlServiceClient(d.conn).CreateToken(ctx, &upsv1.CreateTokenRequest{Role: upsv1.Role_ROLE_NODE})
	if err != nil {
		return refused("make a token", err)
	}
	cmd := exec.CommandContext(ctx, d.bin["upsagent"], "join", "--config", filepath.Join(d.dir, name, "config.toml"), "--master", address, token.GetToken())
	cmd.Env = plainEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s could not join: %w: %s", name, err, bytes.TrimSpace(out))
	}
	d.say("%s", bytes.TrimSpace(out))
	return nil
}

// sim makes the simulated UPS say something, and says so.
func (d *demo) sim(ctx context.Context, st string) error {
	d.say("the UPS says: %s", st)
	return d.tellUPS(ctx, st)
}

// tellUPS makes the simulated UPS say something.
func (d *demo) tellUPS(ctx context.Context, st string) error {
	_, err := upsv1.NewControlServiceClient(d.conn).Simulate(ctx, &upsv1.SimulateRequest{Ups: "main", Status: simStates[st]})
	if err != nil {
		return refused("set the UPS to "+st, err)
	}
	return nil
}

// stop ends every program, agents first, and waits until they are gone.
func (d *demo) stop() {
	if d.conn != nil {
		_ = d.conn.Close()
	}
	for _, p := range slices.Backward(d.procs) {
		p.stop()
	}
}

// process is one started program, its output in a file.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error // how it ended; read it after ended is closed
}

func startProcess(name, log, program string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	p := &process{name: name, log: log, ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...) //nolint:noctx // stop ends it politely, after ctx has ended
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = f, f, plainEnv()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		if p.err == nil {
			p.err = errors.New("exit status 0")
		}
		close(p.ended)
	}()
	return p, nil
}

// stop ends the program: politely, and after 3 s for good.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// logEnd returns the last lines that the program wrote.
func (p *process) logEnd() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// plainEnv is the environment without a service manager's words, which were meant
// for whoever started the demo, and without PATH: an agent that pretends must not
// find wall(1) and tell everybody here that the power failed.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "JOURNAL_STREAM", "PATH="} {
			if strings.HasPrefix(kv, name) {
				return true
			}
		}
		return false
	})
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback, at once
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
