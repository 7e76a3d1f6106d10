//go:build linux && (amd64 || arm64)

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lastwatt/lastwatt/test/vtty"
)

// TestLaw10Disks breaks each folder of each daemon in each way while all is well.
// The outage that follows puts the node down all the same, and upsctl status says
// what is wrong for as long as it is.
func TestLaw10Disks(t *testing.T) {
	t.Parallel()
	for _, daemon := range []string{"master", "agent"} {
		for _, folder := range []string{"data", "run"} {
			for _, f := range faults() {
				t.Run(daemon+" "+folder+" "+f.name, func(t *testing.T) {
					t.Parallel()
					brokenDisk(t, daemon, folder, f.fault)
				})
			}
		}
	}
}

type namedFault struct {
	name  string
	fault vtty.Fault
}

func faults() []namedFault {
	return []namedFault{{"full", vtty.Full}, {"read-only", vtty.ReadOnly}, {"hanging", vtty.Hanging}}
}

func brokenDisk(t *testing.T, daemon, folder string, fault vtty.Fault) {
	r := newRack(t, rackOptions{})
	on, dir, socket := "master/rack1", r.path(folder), r.socket()
	var disk *vtty.Disk
	o := agentOptions{grace: "1h"} // BATLOW puts it down
	if daemon == "master" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		disk = vtty.NewDisk(t, dir)
		r.options.disk = disk
	} else {
		o.disk = func(home string) *vtty.Disk {
			on, dir = "node/node", filepath.Join(home, folder)
			disk = vtty.NewDisk(t, dir)
			return disk
		}
	}
	r.startMaster()
	a := r.join("node", o)
	if daemon == "agent" {
		socket = a.socket()
	}
	broken := func(s status) bool {
		for _, p := range s.Problems {
			if p.On == on && strings.Contains(p.Text, dir) {
				return true
			}
		}
		return false
	}
	r.await("attached", func(s status) bool { return s.node("node").Link == "up" && !broken(s) })

	disk.Break(fault)
	r.ups.Mains(false)
	r.await("GRACE", in("node", "GRACE"))
	s := awaitStatus(t, socket, "the broken disk to be told", broken)
	if s.code != 3 {
		t.Errorf("exit status %d, want 3:\n%s", s.code, s.text)
	}
	r.ups.Mains(true)
	r.await("IDLE at OK", func(s status) bool { return s.ups().State == "OK" && s.node("node").Phase == "IDLE" })

	disk.Heal()
	r.ups.Mains(false) // something new to write
	r.await("GRACE again", in("node", "GRACE"))
	awaitStatus(t, socket, "the disk to be well again", func(s status) bool { return s.code != 1 && !broken(s) })

	disk.Break(fault)
	if a.went() {
		t.Fatal("the agent powered off before it had to")
	}
	r.ups.Low(true)
	a.awaitGone()
	r.await("DONE", in("node", "DONE"))
}

// TestLaw10StartOnABrokenDisk starts a master with a disk that is broken already.
// It protects its own host and says what is wrong.
func TestLaw10StartOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"data", "run"} {
		for _, f := range faults() {
			t.Run(folder+" "+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRack(t, rackOptions{})
				r.withHost()
				dir := r.path(folder)
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				r.options.disk = vtty.NewDisk(t, dir)
				r.options.disk.Break(f.fault)
				r.startMaster()
				r.ups.Mains(false)
				r.await("the host in GRACE, and the disk told", func(s status) bool {
					return s.node("rack1").Phase == "GRACE" && strings.Contains(s.text, dir)
				})
				r.ups.Low(true)
				until(t, "the host to power off", func() bool { return exists(r.path("went")) }, r.master.tail)
			})
		}
	}
}

// TestLaw10RestartOnABrokenDisk crashes an agent in its countdown and starts it
// again on a disk that has broken meanwhile: it goes all the same.
func TestLaw10RestartOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"data", "run"} {
		for _, f := range faults() {
			if folder == "data" && f.fault == vtty.Hanging {
				continue // who may give it orders lies on that very disk
			}
			t.Run(folder+" "+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRack(t, rackOptions{})
				r.startMaster()
				var disk *vtty.Disk
				a := r.join("node", agentOptions{grace: "1h", disk: func(home string) *vtty.Disk {
					disk = vtty.NewDisk(t, filepath.Join(home, folder))
					return disk
				}})
				r.ups.Mains(false)
				r.await("GRACE", in("node", "GRACE"))
				a.kill()
				disk.Break(f.fault)
				a.start()
				a.await("GRACE again", func(s status) bool {
					return s.node("node").Phase == "GRACE" && s.node("node").Link == "up"
				})
				r.ups.Low(true)
				a.awaitGone()
			})
		}
	}
}
