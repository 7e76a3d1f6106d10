package master

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/proof"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// provingMaster is a master that does not run, with its data in dir.
func provingMaster(t *testing.T, dir string, log *bytes.Buffer) *Master {
	t.Helper()
	cfg, err := ParseConfig("master.toml", []byte(`name = "rack1"
data = "`+dir+`"
run = "`+dir+`/run"
[discovery]
mdns = false
[[ups]]
name = "main"
port = "/dev/null"
cable = "nut-7"
`))
	if err != nil {
		t.Fatal(err)
	}
	now := power.Uptime(time.Hour)
	m, err := New(Options{Config: cfg, Boot: "m", Now: func() power.Uptime { return now }, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// runProving runs what keeps the proofs, while do does something.
func runProving(m *Master, do func()) {
	ctx, cancel := context.WithCancel(context.Background())
	saved := make(chan error)
	go func() { saved <- m.proving.saver.Run(ctx) }()
	do()
	cancel()
	<-saved
}

func TestProofsOutliveTheMaster(t *testing.T) {
	dir, log := t.TempDir(), &bytes.Buffer{}
	m := provingMaster(t, dir, log)
	names := func() (out string) {
		for _, f := range m.proving.found() {
			out += f.On + " " + f.Name + ", "
		}
		return out
	}
	ups := func(s power.Status, outage string) {
		m.hub.setUPS(upsRecord{name: "main", state: power.State{Status: s, Outage: outage, OutageSince: m.now()}})
		m.proving.look()
	}
	m.hub.expect("web1")
	if got := names(); got != "" {
		t.Errorf("nobody has read the disk yet, and it says %q", got)
	}
	runProving(m, func() {
		m.proving.adopt(<-load[proof.Proofs](m.proving.saver))
		s := attached(m.hub, "web1", "b1")
		report := func(phase upsv1.Phase, st upsv1.Status) {
			m.hub.report(s, &upsv1.NodeReport{Phase: phase, Status: st, Feeds: []string{"rack1/main"}, Methods: []string{"logind"}, Wake: []string{"wol"}})
			m.proving.look()
		}
		report(upsv1.Phase_PHASE_IDLE, upsv1.Status_STATUS_OK)
		ups(power.OK, "")
		if got, want := names(), "ups/main never-low, ups/main kill-unproved, node/web1 unproved, node/web1 way-back-unproved, "; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		ups(power.Fail, "o1")
		ups(power.BatLow, "o1")
		report(upsv1.Phase_PHASE_COMMITTED, upsv1.Status_STATUS_BATLOW)
		m.hub.detach(s, "gone")
		m.proving.look()
		ups(power.OK, "")
		attached(m.hub, "web1", "b2")
		m.proving.look()
	})
	m = provingMaster(t, dir, log)
	m.hub.expect("web1")
	m.hub.expect("db1")
	m.proving.adopt(<-load[proof.Proofs](m.proving.saver))
	st := m.status()
	if n := st.GetNodes()[1]; n.GetName() != "web1" || n.GetProof().GetOutages() != 1 || n.GetProof().GetLastOutage() != "o1" || n.GetProof().GetBackWall() == "" {
		t.Errorf("web1 is %v", n)
	}
	if n := st.GetNodes()[0]; n.Proof != nil {
		t.Errorf("of %s nothing was proved: %v", n.GetName(), n)
	}
	if u := st.GetProofs()[0]; u.GetUps() != "main" || u.GetOutages() != 1 || u.GetLowWall() == "" || u.GetKillWall() != "" {
		t.Errorf("the UPS is %v", u)
	}
	if got, want := names(), "ups/main kill-unproved, node/db1 unproved, node/db1 way-back-unproved, "; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	runProving(m, func() { m.proving.forget("web1") }) // another machine has that name now
	if got := <-load[proof.Proofs](provingMaster(t, dir, log).proving.saver); got.err != nil || len(got.v.Nodes) != 0 || len(got.v.UPS) != 1 {
		t.Errorf("on disk there is %+v", got)
	}
	if log := log.String(); strings.Contains(log, "cannot read") {
		t.Errorf("a missing file was complained of: %s", log)
	}
}

func TestADamagedFileProvesNothing(t *testing.T) {
	dir, log := t.TempDir(), &bytes.Buffer{}
	if err := os.WriteFile(filepath.Join(dir, "proved.json"), []byte(`{"data":{"nodes":{"web1":{"outages":9}}},"crc":"00000000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	m := provingMaster(t, dir, log)
	m.hub.expect("web1")
	m.proving.adopt(<-load[proof.Proofs](m.proving.saver))
	if n := m.status().GetNodes()[0]; n.Proof != nil {
		t.Errorf("it is said to prove %v", n.GetProof())
	}
	if !strings.Contains(log.String(), "cannot read what outages have proved: nothing is proved now") {
		t.Errorf("nobody was told: %s", log)
	}
}

func TestOnWhatANodeLives(t *testing.T) {
	h, _, _ := testHub()
	h.addUPS("b", "nut-7")
	for name, feeds := range map[string][]string{"all": nil, "one": {"rack1/b"}, "both": {"other/main", "rack1/main"}, "abroad": {"other/main"}} {
		s := attached(h, name, "b")
		h.report(s, &upsv1.NodeReport{Feeds: feeds})
	}
	got := ""
	for _, n := range h.lives("rack1").Nodes {
		got += fmt.Sprintf("%s %v %v, ", n.Name, n.UPS, n.Foreign)
	}
	if want := "abroad [] true, all [main b] false, both [main] true, one [b] false, "; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
