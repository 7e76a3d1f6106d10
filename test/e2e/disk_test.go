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
	faults := []struct {
		name  string
		fault vtty.Fault
	}{{"full", vtty.Full}, {"read-only", vtty.ReadOnly}, {"hanging", vtty.Hanging}}
	for _, daemon := range []string{"master", "agent"} {
		for _, folder := range []string{"data", "run"} {
			for _, f := range faults {
				t.Run(daemon+" "+folder+" "+f.name, func(t *testing.T) {
					t.Parallel()
					brokenDisk(t, daemon, folder, f.fault)
				})
			}
		}
	}
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
