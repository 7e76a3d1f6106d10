//go:build linux && (amd64 || arm64)

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/test/vtty"
)

// change writes a configuration anew, with old in place of new, and reloads.
func (r *rack) change(p *process, file, old, new string) {
	r.t.Helper()
	text, err := os.ReadFile(r.path(file))
	if err != nil {
		r.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		r.t.Fatalf("%q is not in %s:\n%s", old, file, text)
	}
	r.write(file, strings.Replace(string(text), old, new, 1))
	p.signal(syscall.SIGHUP)
}

// grace says that a node waits for so many seconds.
func grace(node string, seconds float64) func(status) bool {
	return func(s status) bool { return math.Abs(s.node(node).Grace-seconds) < 2 } // the battery may be owed something
}

// says returns the text of a problem, "" if there is none of that name.
func (s status) says(on, name string) string {
	for _, p := range s.Problems {
		if p.On == on && p.Name == name {
			return p.Text
		}
	}
	return ""
}

// opens counts how often the port was opened.
func opens(events []vtty.Event) (n int) {
	for _, e := range events {
		if e.Kind == vtty.Open {
			n++
		}
	}
	return n
}

// TestLaw04AReloadTouchesNoLine reloads a master again and again, with a service
// manager and without one: the port stays open all the time, whatever its UPS is
// called, and an outage after it is seen.
func TestLaw04AReloadTouchesNoLine(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"liebert-powersure", "apc-back-ups", "nut-4", "nut-7"} {
		for _, managed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s managed %v", name, managed), func(t *testing.T) {
				t.Parallel()
				r := newRack(t, rackOptions{cable: name})
				r.withHost()
				if managed {
					r.manager = newManager(t, r.dir)
				}
				r.startMaster()
				if managed {
					until(t, "the port in the store", func() bool { return r.manager.stored("ups-main") }, r.master.tail)
				}
				mark := len(r.tty.Events())
				r.change(r.master, "master.toml", `grace = "1h"`, `grace = "2h"`)
				r.await("the new grace", grace("rack1", 7200))
				r.change(r.master, "master.toml", `name = "main"`, `name = "other"`)
				r.await("the new name", func(s status) bool { return s.ups().Name == "other" && s.ups().State == "OK" })
				for i := range 5 {
					r.change(r.master, "master.toml", "grace = ", fmt.Sprintf("grace_min = \"%ds\"\ngrace = ", i+1))
					r.change(r.master, "master.toml", fmt.Sprintf("grace_min = \"%ds\"\n", i+1), "")
				}
				if n := opens(r.tty.Events()[mark:]); n > 0 {
					t.Errorf("the port was opened %d times more:\n%s", n, tell(r.tty.Events()))
				}
				if managed {
					until(t, "the port in the store by its new name", func() bool { return r.manager.stored("ups-other") && !r.manager.stored("ups-main") }, r.master.tail)
					r.master.kill()
					r.startMaster()
				}
				untouched(t, "a reload", r.tty.Events()[mark:])
				r.ups.Mains(false)
				r.await("FAIL", reads("FAIL"))
			})
		}
	}
}

// TestAPortThatIsGoneFromTheFile reloads a master to a port that is not there, and
// back: nothing keeps the old one open in between, the service manager neither.
func TestAPortThatIsGoneFromTheFile(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.manager = newManager(t, r.dir)
	r.startMaster()
	until(t, "the port in the store", func() bool { return r.manager.stored("ups-main") }, r.master.tail)
	r.change(r.master, "master.toml", r.tty.Path(), "/dev/none")
	r.await("UNKNOWN", reads("UNKNOWN"))
	until(t, "the old port to be closed", func() bool { return !r.tty.IsOpen() && !r.manager.stored("ups-main") }, r.master.tail)
	r.change(r.master, "master.toml", "/dev/none", r.tty.Path())
	r.await("OK", reads("OK")) // a wrong port is mended by a reload
	r.ups.Mains(false)
	r.await("FAIL", reads("FAIL"))
}

// TestLaw10ABrokenReload gives both daemons a broken file each, pulls the plug, and
// mends the files meanwhile: what was armed does what it was to do.
func TestLaw10ABrokenReload(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	a := r.join("node", agentOptions{grace: "6s"})
	r.change(r.master, "master.toml", "batlow_jump", "batlow_jmp")
	r.change(a.process, "node/agent.toml", `grace = "6s"`, `grace = "forever"`)
	s := r.await("both to complain", func(s status) bool {
		return s.problem("master/rack1", "config-not-adopted") && s.problem("node/node", "config-not-adopted")
	})
	for on, want := range map[string]string{"master/rack1": "master.toml:16:1: ups.settle.batlow_jmp: unknown key", "node/node": "agent.toml:10:1: policy.grace: "} {
		text := s.says(on, "config-not-adopted")
		if !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", on, text, want)
		}
	}
	r.ups.Mains(false)
	before := deadline(t, r.await("GRACE", in("node", "GRACE")), "node")
	// Good ones wait for the power now.
	r.change(r.master, "master.toml", "batlow_jmp", "batlow_jump")
	r.change(r.master, "master.toml", `name = "main"`, `name = "renamed"`)
	r.change(a.process, "node/agent.toml", `grace = "forever"`, `grace = "1h"`)
	s = r.await("both to wait", func(s status) bool {
		return strings.Contains(s.says("master/rack1", "config-not-adopted"), "on battery") && strings.Contains(s.says("node/node", "config-not-adopted"), "on battery")
	})
	if after := deadline(t, s, "node"); after-before > slack || before-after > slack {
		t.Errorf("the deadline moved by %.1f s", after-before)
	}
	a.awaitGone()
}

// TestAReloadWaitsForThePower changes port and grace while on battery; they are
// adopted when the power is back, holds and all.
func TestAReloadWaitsForThePower(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	a := r.join("node", agentOptions{grace: "1h"})
	held := r.join("held", agentOptions{grace: "1h"})
	r.upsctl("hold", "--for", "30m", "held")
	r.await("HELD", in("held", "HELD"))
	r.ups.Mains(false)
	r.await("GRACE", in("node", "GRACE"))
	mark := len(r.tty.Events())
	r.change(r.master, "master.toml", `batlow_jump = "2s"`, `batlow_jump = "3s"`)
	r.change(a.process, "node/agent.toml", `grace = "1h"`, `grace = "2h"`)
	r.change(held.process, "held/agent.toml", `grace = "1h"`, `grace = "2h"`)
	r.await("all to wait", func(s status) bool {
		return s.problem("master/rack1", "config-not-adopted") && s.problem("node/node", "config-not-adopted") && s.problem("node/held", "config-not-adopted")
	})
	r.ups.Mains(true)
	s := r.await("all to have adopted", func(s status) bool {
		return grace("node", 7200)(s) && grace("held", 7200)(s) && s.ups().State == "OK" &&
			!strings.Contains(s.text, "config-not-adopted") && s.node("node").Link == "up" && s.node("held").Link == "up"
	})
	if s.node("held").Phase != "HELD" || s.node("node").Phase != "IDLE" {
		t.Errorf("the hold did not survive, or there is another:\n%s", s.text)
	}
	untouched(t, "the reload", r.tty.Events()[mark:])
	if got := s.node("held").Deadline; got == nil || *got < 1700 || *got > 1800 {
		t.Errorf("the hold's end moved:\n%s", s.text)
	}
}

// lastGood waits until a daemon has kept its file.
func lastGood(t *testing.T, p *process, data, has string) {
	t.Helper()
	path := filepath.Join(data, "last-good.toml")
	until(t, "the last good copy", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), has)
	}, p.tail)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", path, st.Mode(), err)
	}
}

// TestLaw10AStartWithABrokenFile starts both daemons with a file that is broken, or
// gone: the last good copy runs and says so, and the outage is seen.
func TestLaw10AStartWithABrokenFile(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("gone %v", gone), func(t *testing.T) {
			t.Parallel()
			r := newRack(t, rackOptions{})
			r.startMaster()
			a := r.join("node", agentOptions{grace: "3s"})
			lastGood(t, r.master, r.path("data"), "rack1")
			lastGood(t, a.process, a.path("data"), "3s")
			r.master.stop()
			a.stop()
			for _, file := range []string{"master.toml", "node/agent.toml"} {
				text, err := os.ReadFile(r.path(file))
				if err != nil {
					t.Fatal(err)
				}
				r.write(file, string(text)+"\n[broken\n")
				if gone {
					if err := os.Remove(r.path(file)); err != nil {
						t.Fatal(err)
					}
				}
			}
			cmd := r.tty.Command(program("upsmaster"), "run", "--config", r.path("master.toml"))
			if gone {
				cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+r.path("data"))
			}
			r.master = launch(t, "master", r.dir, cmd)
			cmd = exec.Command(program("upsagent"), "run", "--config", a.path("agent.toml"))
			if gone {
				cmd.Env = append(cmd.Env, "STATE_DIRECTORY="+a.path("data"))
			}
			a.process = launch(t, "node", a.dir, cmd)
			s := r.await("both to run and to say so", func(s status) bool {
				return s.node("node").Link == "up" && s.problem("node/node", "config-not-adopted") && s.ups().State == "OK"
			})
			if text := s.says("master/rack1", "config-not-adopted"); !strings.Contains(text, "last good copy of "+r.path("master.toml")) {
				t.Errorf("the master says %q", text)
			}
			r.ups.Mains(false)
			a.awaitGone()
		})
	}
}

// TestAStartWithoutALastGoodCopy says every mistake and ends.
func TestAStartWithoutALastGoodCopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.toml")
	if err := os.WriteFile(path, []byte("nam = \"x\"\n[[ups]]\nname = \"main\"\nport = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program("upsmaster"), "run", "--config", path).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), path+":1:1: nam: unknown key") || !strings.Contains(string(out), path+":4:1: ups.port: ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestLaw10AStormOfReloads sends fifty SIGHUPs to both daemons while the files
// change, a kill -9 in the middle, and pulls the plug in between: the node goes.
func TestLaw10AStormOfReloads(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.withHost()
	r.manager = newManager(t, r.dir)
	r.startMaster()
	a := r.join("node", agentOptions{grace: "4s"})
	until(t, "the port in the store", func() bool { return r.manager.stored("ups-main") }, r.master.tail)
	mark := len(r.tty.Events())
	storm := func(n int) {
		for i := range n {
			r.change(r.master, "master.toml", `[node.policy]`, fmt.Sprintf("[node.policy]\ngrace_min = \"%ds\"\n#", i+1))
			r.change(a.process, "node/agent.toml", `grace_min = "1s"`, fmt.Sprintf("lost_limit = \"%ds\"\ngrace_min = \"1s\" #", i+60))
			r.change(r.master, "master.toml", fmt.Sprintf("[node.policy]\ngrace_min = \"%ds\"\n#", i+1), `[node.policy]`)
			r.change(a.process, "node/agent.toml", fmt.Sprintf("lost_limit = \"%ds\"\ngrace_min = \"1s\" #", i+60), `grace_min = "1s"`)
		}
	}
	before := fds(t, r.master) + fds(t, a.process)
	storm(25)
	until(t, "the descriptors of former lives to be closed", func() bool { return fds(t, r.master)+fds(t, a.process) <= before+4 }, func() string {
		return fmt.Sprintf("%d and %d, were %d in all", fds(t, r.master), fds(t, a.process), before)
	})
	storm(1)
	r.master.kill() // wherever it was
	a.kill()
	r.startMaster()
	a.start()
	untouched(t, "a storm of reloads", r.tty.Events()[mark:])
	r.await("attached", func(s status) bool { return s.node("node").Link == "up" && s.ups().State == "OK" })
	storm(10)
	r.ups.Mains(false)
	storm(15)
	a.awaitGone()
	if r.master.over() || a.over() {
		t.Errorf("a daemon ended: %v, %v", r.master.err, a.err)
	}
	untouched(t, "a storm of reloads", r.tty.Events()[mark:])
}

// fds counts a process's open descriptors.
func fds(t *testing.T, p *process) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestLaw10AReloadOnABrokenDisk reloads both daemons while a folder of theirs is
// broken: what they knew they know still, and the node goes.
func TestLaw10AReloadOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"data", "run"} {
		for _, f := range faults() {
			t.Run(folder+" "+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRack(t, rackOptions{})
				r.withHost()
				if err := os.MkdirAll(r.path(folder), 0o700); err != nil {
					t.Fatal(err)
				}
				mine := vtty.NewDisk(t, r.path(folder))
				r.options.disk = mine
				var theirs *vtty.Disk
				r.startMaster()
				a := r.join("node", agentOptions{grace: "1h", disk: func(home string) *vtty.Disk {
					theirs = vtty.NewDisk(t, filepath.Join(home, folder))
					return theirs
				}})
				r.await("attached", func(s status) bool { return s.node("node").Link == "up" })
				mine.Break(f.fault)
				theirs.Break(f.fault)
				r.upsctl("hold", "--for", "30m", "node")
				r.await("HELD", in("node", "HELD"))
				r.change(r.master, "master.toml", `grace = "1h"`, `grace = "2h"`)
				r.await("the master's new grace", grace("rack1", 7200))
				r.change(a.process, "node/agent.toml", `grace = "1h"`, `grace = "3s"`)
				r.await("the agent's new grace, and the hold", func(s status) bool {
					n := s.node("node")
					return grace("node", 3)(s) && n.Phase == "HELD" && n.Link == "up" && s.ups().State == "OK"
				})
				r.upsctl("release", "node")
				r.ups.Mains(false)
				a.awaitGone()
			})
		}
	}
}

// TestAReloadToOtherFolders moves a master's folders: without the rack's keys in the
// new one nothing is adopted, with them everything goes on, under a new lock.
func TestAReloadToOtherFolders(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	r.join("node", agentOptions{})
	moved := r.path("moved")
	r.change(r.master, "master.toml", fmt.Sprintf("data = %q", r.path("data")), fmt.Sprintf("data = %q", moved))
	r.await("the master to refuse", func(s status) bool {
		return strings.Contains(s.says("master/rack1", "config-not-adopted"), "this rack's keys are not in "+moved)
	})
	if err := os.CopyFS(moved, os.DirFS(r.path("data"))); err != nil {
		t.Fatal(err)
	}
	r.master.signal(syscall.SIGHUP)
	r.await("the master to refuse keys that everybody may read", func(s status) bool {
		return strings.Contains(s.says("master/rack1", "config-not-adopted"), "others may read")
	})
	err := filepath.WalkDir(moved, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return errors.Join(err, os.Chmod(path, 0o700))
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.change(r.master, "master.toml", fmt.Sprintf("run = %q", r.path("run")), fmt.Sprintf("run = %q", r.path("run2")))
	r.await("the master to have moved", func(s status) bool {
		return s.node("node").Link == "up" && exists(r.path("run2/upsmaster.lock")) && !s.problem("master/rack1", "config-not-adopted")
	})
	lastGood(t, r.master, moved, moved)
	second := r.tty.Command(program("upsmaster"), "run", "--config", r.path("master.toml"))
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "already running") {
		t.Errorf("a second master on the new folder: %v\n%s", err, out)
	}
	r.ups.Mains(false)
	r.await("GRACE", in("node", "GRACE"))
}

// TestLaw10AHeldAgentReloadsAlone reloads an agent that is held while its master is
// dead and its state file can't be written: it is held still.
func TestLaw10AHeldAgentReloadsAlone(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	var disk *vtty.Disk
	a := r.join("node", agentOptions{grace: "1h", disk: func(home string) *vtty.Disk {
		disk = vtty.NewDisk(t, filepath.Join(home, "run"))
		return disk
	}})
	r.await("attached", func(s status) bool { return s.node("node").Link == "up" && s.ups().State == "OK" })
	disk.Break(vtty.Full)
	r.upsctl("hold", "--for", "30m", "node")
	a.await("HELD", in("node", "HELD"))
	r.master.kill()
	r.change(a.process, "node/agent.toml", `grace = "1h"`, `grace = "2h"`)
	s := a.await("the new grace", grace("node", 7200))
	if n := s.node("node"); n.Phase != "HELD" || n.State != "OK" {
		t.Errorf("it is in %s, its power %s:\n%s", n.Phase, n.State, s.text)
	}
}

// TestAReloadBlindsNobody watches a node's state through a reload of its master: it
// is never unknown, and the node is attached again within two seconds.
func TestAReloadBlindsNobody(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{settle: `ok = "20s"`})
	r.withHost()
	r.startMaster()
	r.join("node", agentOptions{})
	r.change(r.master, "master.toml", `grace = "1h"`, `grace = "2h"`)
	began := time.Now()
	s := r.await("the new grace", grace("rack1", 7200))
	if s.ups().State != "OK" {
		t.Errorf("the UPS reads %s after a reload that did not concern it", s.ups().State)
	}
	s = r.await("the node back", func(s status) bool { return s.node("node").Link == "up" })
	if took := time.Since(began); s.node("node").State != "OK" || took > 2*time.Second {
		t.Errorf("the node reads %s after %s", s.node("node").State, took)
	}
}
