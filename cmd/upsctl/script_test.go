package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/session"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/script and the man pages again")

// TestMain lets this test program be upsctl too: for scripts, and on real terminals.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"upsctl": func() { os.Exit(start(scriptCLI(os.Getenv))) }})
}

// scriptCLI is the real one, but it reaches nothing of this machine: only sockets
// that a test names, no serial port, and a wall clock that stands.
func scriptCLI(env func(string) string) *cli {
	c := newCLI()
	c.env = env
	c.exe = func() (string, error) { return "/nowhere/upsctl", nil }
	c.sockets = strings.Fields(env("SOCKETS"))
	if len(c.sockets) == 0 {
		c.sockets = []string{"/nowhere/master.sock", "/nowhere/agent.sock"}
	}
	c.roots = line.Roots{Sys: "/nowhere", Dev: "/nowhere", Proc: "/nowhere"}
	c.now = func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }
	return c
}

// fakes are the daemons that a script can start by name.
func fakes() map[string]*fake {
	change := func(change func(*upsv1.MasterStatus)) *fake {
		m := wellRack()
		change(m)
		return &fake{acts: true, status: answer(m)}
	}
	return map[string]*fake{
		"well":     change(func(*upsv1.MasterStatus) {}),
		"dark":     {acts: true, status: answer(darkRack())},
		"back":     {acts: true, status: answer(backRack())},
		"crowd":    {acts: true, status: answer(crowd(3))},
		"calm":     {acts: true, status: answer(calmRack())},
		"orphan":   deadMaster(),
		"unjoined": {status: []*upsv1.GetStatusResponse{{}}, node: &upsv1.GetNodeStatusResponse{Node: wellRack().Nodes[0]}},
		"empty":    {status: []*upsv1.GetStatusResponse{{}}, node: &upsv1.GetNodeStatusResponse{}},
		"tokens": {acts: true, tokens: []*upsv1.TokenInfo{
			{Id: "k3j9", Role: upsv1.Role_ROLE_NODE, Left: dur(12 * time.Minute), Replace: "web1"},
			{Id: "zz\x1b[1m", Role: upsv1.Role_ROLE_OPERATOR, Left: dur(time.Minute), UsedBy: "ann"},
		}},
		"planned":  {acts: true, status: answer(plannedRack()), plan: plannedPlan()},
		"short":    {acts: true, status: answer(shortRack()), plan: shortPlan()},
		"nobody":   change(func(m *upsv1.MasterStatus) { m.Nodes = nil }),
		"mute":     {},
		"refusing": {acts: true, refuse: status.Error(codes.PermissionDenied, "bob may not call this; it is for operator, local")},
		"unknown":  {acts: true, refuse: status.Error(codes.NotFound, "no node is called \a\"web9\"")},
		"blind": change(func(m *upsv1.MasterStatus) {
			m.Nodes = nil
			m.Ups[0].Status, m.Ups[0].Reason, m.Ups[0].Lines = upsv1.Status_STATUS_UNSPECIFIED, "cannot open /dev/ttyS0\x07: no such file", nil
		}),
		"hostile": change(func(m *upsv1.MasterStatus) {
			m.Name, m.Ups[0].Name, m.Nodes[0].Name = "r\x1b]0;x\x07", "m\u202eniam", strings.Repeat("long", 16)
			m.Nodes[0].Role = "a\nb"
		}),
		"weak": change(func(m *upsv1.MasterStatus) {
			m.Ups[0].Sim, m.Ups[0].WeakBattery = true, true
			m.Problems = []*upsv1.Problem{
				{On: "ups/main", Name: "never-low", Text: "nobody has seen it", Age: dur(time.Hour), Weakness: true},
				{On: "node/web1", Name: "unproved", Text: "it was never seen through an outage", Weakness: true},
			}
		}),
		"two": {status: answer(wellRack(), func() *upsv1.MasterStatus {
			m := darkRack()
			m.Name, m.Nodes, m.Ups[0].Name, m.Problems = "rack2", nil, "spare", nil
			return m
		}())},
	}
}

// TestScripts plays sessions at a shell; test/session says how they read. "fake NAME"
// starts a daemon that upsctl asks from then on, and what that one was told to do
// stands below the command behind "> ".
func TestScripts(t *testing.T) {
	var asked sync.Map // script -> its fake
	session.Run(t, session.Options{
		Main: func(s session.Command) int {
			c := scriptCLI(s.Env)
			c.in, c.out, c.err, c.inTTY, c.outTTY = s.In, s.Out, s.Err, false, false
			return c.run(t.Context(), s.Args)
		},
		Commands: map[string]func(*testscript.TestScript, bool, []string){
			"fake": func(ts *testscript.TestScript, _ bool, args []string) {
				f := fakes()[strings.Join(args, " ")]
				if f == nil {
					ts.Fatalf("no fake is called %q", args)
				}
				dir, err := os.MkdirTemp("", "fake")
				ts.Check(err)
				path := filepath.Join(dir, "s")
				stop, err := f.serveAt(path)
				ts.Check(err)
				ts.Defer(func() { stop(); _ = os.RemoveAll(dir) })
				ts.Setenv("SOCKETS", path)
				asked.Store(ts, f)
			},
		},
		After: func(ts *testscript.TestScript) (told string) {
			for f, started := asked.Load(ts); started; {
				select {
				case what := <-f.(*fake).asked:
					told += "> " + what + "\n"
				default:
					return told
				}
			}
			return told
		},
	})
}
