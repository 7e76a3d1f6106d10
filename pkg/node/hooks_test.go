package node

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// program writes a shell script and returns its path.
func program(t *testing.T, mode fs.FileMode, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLaw09OnlyOurOwnFilesAreRunAsHooks(t *testing.T) {
	open := filepath.Dir(program(t, 0o700, ""))
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	sticky := filepath.Dir(program(t, 0o700, ""))
	if err := os.Chmod(sticky, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hook Hook
		want string
	}{
		{"our own", Hook{Run: []string{program(t, 0o755, "")}}, ""},
		{"root's", Hook{Run: []string{"/bin/sh"}}, ""},
		{"a unit", Hook{Unit: "db"}, ""},
		{"in a folder for all, sticky", Hook{Run: []string{filepath.Join(sticky, "hook")}}, ""},
		{"writable by all", Hook{Run: []string{program(t, 0o757, "")}}, "can be written by everybody, so it is not run as a hook; chmod o-w "},
		{"in a folder for all", Hook{Run: []string{filepath.Join(open, "hook")}}, "can be written by everybody"},
		{"not executable", Hook{Run: []string{program(t, 0o600, "")}}, "is not a program"},
		{"a folder", Hook{Run: []string{t.TempDir()}}, "is not a program"},
		{"missing", Hook{Run: []string{filepath.Join(t.TempDir(), "none")}}, "it is not there"},
	} {
		err := vet(c.hook)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if err := trusted("/x", owned{uid: uint32(os.Geteuid()) + 4711}, os.Geteuid()); err == nil || !strings.HasSuffix(err.Error(), "so it is not run as a hook; chown root /x") {
		t.Errorf("another user's file: %v", err)
	}
}

func TestLaw09AProgramIsRunAsAHookIs(t *testing.T) {
	t.Setenv("LASTWATT_SECRET", "must not leak")
	out := filepath.Join(t.TempDir(), "out")
	path := program(t, 0o700, `{ env | grep LASTWATT; cat; } >"$1"; echo said; exit "$2"`)
	if err := RunProgram(nil)(t.Context(), []string{path, out, "0"}, []string{"LASTWATT_A=b c"}, "in\n"); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "LASTWATT_A=b c\nin\n" {
		t.Errorf("it got %q, %v", b, err)
	}
	if err := RunProgram(nil)(t.Context(), []string{path, out, "7"}, nil, ""); err == nil || err.Error() != path+": exit status 7: said" {
		t.Errorf("a failure: %v", err)
	}
	open := program(t, 0o757, "echo no")
	if err := RunProgram(nil)(t.Context(), []string{open}, nil, ""); err == nil || !strings.Contains(err.Error(), "can be written by everybody") {
		t.Errorf("everybody's program: %v", err)
	}
	if err := RunProgram(nil)(t.Context(), nil, nil, ""); err == nil {
		t.Error("nothing was run")
	}
}

// owned is a file that belongs to uid: only root could make a real one.
type owned struct {
	fs.FileInfo
	uid uint32
}

func (o owned) Sys() any          { return &syscall.Stat_t{Uid: o.uid} }
func (o owned) Mode() fs.FileMode { return 0o755 }

// drive runs a driver on plain time with real hooks and a dry run, feeds it the
// states, and calls done with it when cond holds.
func drive(t *testing.T, s Settings, cond func(Snapshot) bool, states ...power.Status) {
	t.Helper()
	start := time.Now()
	now := func() power.Uptime { return base.Add(time.Since(start)) }
	d, err := NewDriver(Options{
		Name: "web1", Settings: s, Chain: []shutdown.Executor{shutdown.None()}, BootID: "b1",
		Now: now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for _, st := range states {
		state := power.State{Status: st, Last: st, Since: now(), HasLow: true}
		if st.OnBattery() {
			state.Outage, state.OutageSince = "b1-7", now()
		}
		d.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", state}}})
	}
	late := time.After(20 * time.Second)
	for !cond(d.Snapshot()) {
		select {
		case <-d.Changed():
		case <-late:
			t.Fatalf("it never came: %+v", d.Snapshot())
		}
	}
}

func TestLaw09AHookIsRunByArgvWithItsOwnEnvironment(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("LASTWATT_SECRET", "must not leak")
	path := program(t, 0o700, `{ env | grep ^LASTWATT | sort; for a; do echo "<$a>"; done; } >"$1"`)
	s := settings(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
	s.Hooks = []Hook{{On: []policy.Event{policy.EventCommit}, Run: []string{path, out, "$(reboot); a b"}, Timeout: 10 * time.Second}}
	drive(t, s, func(s Snapshot) bool { return s.View.Phase == policy.Done }, power.Fail)
	b, err := os.ReadFile(out)
	want := `LASTWATT_DRILL=0
LASTWATT_EVENT=commit
LASTWATT_NODE=web1
LASTWATT_OUTAGE=b1-7
LASTWATT_PHASE=COMMITTED
LASTWATT_PROBLEM=
LASTWATT_STATE=FAIL
LASTWATT_TEXT=going down now: on battery
LASTWATT_UPS=rack1/main
<` + out + `>
<$(reboot); a b>
`
	if err != nil || string(b) != want {
		t.Errorf("the hook saw\n%s%v\nwant\n%s", b, err, want)
	}
}

// TestLaw09ARefusedHookDelaysNothing: it is a problem from the start, and the
// power-off comes all the same.
func TestLaw09ARefusedHookDelaysNothing(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	path := program(t, 0o777, "echo run >"+out)
	s := settings(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
	s.Hooks = []Hook{{On: []policy.Event{policy.EventCommit}, Run: []string{path}, Timeout: 10 * time.Second}}
	told := func(s Snapshot) bool {
		for _, p := range s.Problems {
			if p.Name == "hook" && strings.Contains(p.Text, "the hook "+path+": "+path+" can be written by everybody") {
				return true
			}
		}
		return false
	}
	drive(t, s, told, power.OK)
	drive(t, s, func(s Snapshot) bool { return s.View.Phase == policy.Done && told(s) }, power.Fail)
	if _, err := os.Stat(out); err == nil {
		t.Error("a file that everybody may write was run")
	}
}
