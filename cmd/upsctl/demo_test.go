package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// demoRack is a rack as the demo sees it.
func demoRack(ups upsv1.Status, phases ...upsv1.Phase) *upsv1.MasterStatus {
	m := &upsv1.MasterStatus{Name: "demo", Ups: []*upsv1.UpsState{{Name: "main", Status: ups, OutageAge: dur(4 * time.Second)}}}
	for i, p := range phases {
		m.Nodes = append(m.Nodes, &upsv1.NodeStatus{Name: demoNodes[i].name, Link: upsv1.Link_LINK_UP, Report: &upsv1.NodeReport{Phase: p, Deadline: dur(time.Second)}})
	}
	return m
}

func demoPicture(m *upsv1.MasterStatus) (p picture) {
	p.addMaster(m)
	return p
}

func TestDemoKnowsWhatItSees(t *testing.T) {
	const idle, grace, done = upsv1.Phase_PHASE_IDLE, upsv1.Phase_PHASE_GRACE, upsv1.Phase_PHASE_DONE
	lost := demoRack(upsv1.Status_STATUS_OK, idle, idle, idle)
	lost.Nodes[1].Link = upsv1.Link_LINK_LOST
	for _, tt := range []struct {
		name string
		rack *upsv1.MasterStatus
		is   func(picture) bool
		want bool
	}{
		{"all idle", demoRack(upsv1.Status_STATUS_OK, idle, idle, idle), rackIs("OK", "IDLE", "IDLE", "IDLE"), true},
		{"one counts", demoRack(upsv1.Status_STATUS_OK, idle, grace, idle), rackIs("OK", "IDLE", "IDLE", "IDLE"), false},
		{"one is not there", demoRack(upsv1.Status_STATUS_OK, idle, idle), rackIs("OK", "IDLE", "IDLE", "IDLE"), false},
		{"one is lost", lost, rackIs("OK", "IDLE", "IDLE", "IDLE"), false},
		{"the UPS is blind", demoRack(upsv1.Status_STATUS_UNSPECIFIED, idle, idle, idle), rackIs("OK", "IDLE", "IDLE", "IDLE"), false},
		{"no UPS", &upsv1.MasterStatus{}, rackIs("OK"), false},
		{"in time", demoRack(upsv1.Status_STATUS_FAIL, done, grace, grace), wentAfter(4, rackIs("FAIL", "DONE", "GRACE", "GRACE")), true},
		{"too early", demoRack(upsv1.Status_STATUS_FAIL, done, grace, grace), wentAfter(4.1, rackIs("FAIL", "DONE", "GRACE", "GRACE")), false},
		{"the wrong one", demoRack(upsv1.Status_STATUS_FAIL, grace, done, grace), wentAfter(1, rackIs("FAIL", "DONE", "GRACE", "GRACE")), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.is(demoPicture(tt.rack)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestDemoStep: a step that comes passes, one that doesn't says what was expected
// and what was seen.
func TestDemoStep(t *testing.T) {
	const idle, grace = upsv1.Phase_PHASE_IDLE, upsv1.Phase_PHASE_GRACE
	synctest.Test(t, func(t *testing.T) {
		c, out, _ := testCLI("")
		d := &demo{c: c, start: time.Now(), feed: make(chan seen, 8), told: map[string]string{}}
		send := func(after time.Duration, m *upsv1.MasterStatus) {
			time.AfterFunc(after, func() { d.feed <- seen{p: demoPicture(m)} })
		}
		send(0, demoRack(upsv1.Status_STATUS_OK, idle))
		send(time.Second, demoRack(upsv1.Status_STATUS_FAIL, grace))
		if err := d.await(t.Context(), 2*time.Second, "web1 counts", rackIs("FAIL", "GRACE")); err != nil {
			t.Error(err)
		}
		if err := d.hold(t.Context(), time.Second, "it goes on", rackIs("FAIL", "GRACE")); err != nil {
			t.Error(err)
		}
		err := d.await(t.Context(), time.Second, "web1 stands down", rackIs("OK", "IDLE"))
		want := `expected within 1s: web1 stands down; seen:
master demo
UPS   STATE  FOR  LINES  CABLE
main  FAIL   0s

NODE  ROLE  PHASE  STATE    COUNTDOWN  LINK  PROBLEM
web1        GRACE  UNKNOWN  1s         up
`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		send(time.Second/2, demoRack(upsv1.Status_STATUS_OK, idle))
		if err := d.hold(t.Context(), time.Second, "it goes on", rackIs("FAIL", "GRACE")); err == nil {
			t.Error("a change was not noticed")
		}
		d.feed <- seen{err: errors.New("gone")}
		if err := d.await(t.Context(), time.Second, "anything", rackIs("BATLOW")); err == nil || !strings.Contains(err.Error(), "got: gone") {
			t.Error(err)
		}
		timeline := `  1.00 s     ups main  OK → FAIL
  1.00 s     web1      IDLE → GRACE, goes in 1s
  1.00 s  ✓ web1 counts
  2.00 s  ✓ it goes on
  3.50 s     ups main  FAIL → OK
  3.50 s     web1      GRACE → IDLE
`
		if diff := cmp.Diff(timeline, out.String()); diff != "" {
			t.Errorf("timeline (-want +got):\n%s", diff)
		}
	})
}

func TestDemoWithoutDaemons(t *testing.T) {
	want := result{1, "", "upsctl: cannot start a demo: there is no upsmaster beside /nowhere/upsctl; run 'make build', or copy it there\n"}
	if diff := cmp.Diff(want, run(t, nil, "demo")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDemoWithABrokenMaster: it says what the master said, and leaves nothing.
func TestDemoWithABrokenMaster(t *testing.T) {
	bin, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for _, name := range []string{"upsmaster", "upsagent"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho broken: no sun >&2\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := run(t, func(c *cli) { c.exe = func() (string, error) { return filepath.Join(bin, "upsctl"), nil } }, "demo")
	want := "upsctl: demo: master ended before it answered: exit status 1\n--- master\nbroken: no sun\n"
	if got.Code != exitCannotAsk || got.Err != want {
		t.Errorf("got %+v, want %q", got, want)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDemoKeys: each key does its thing, others do nothing, q ends, and the
// terminal is as it was.
func TestDemoKeys(t *testing.T) {
	for _, tt := range []struct {
		keys  string
		plain bool
		want  []string
	}{
		{"fxboq", false, []string{"sim main STATUS_FAIL", "sim main STATUS_BATLOW", "sim main STATUS_OK"}},
		{"\x03f", false, nil},
		{"f", false, []string{"sim main STATUS_FAIL"}}, // the keyboard went away
		{"f\nb\nq\n", true, []string{"sim main STATUS_FAIL", "sim main STATUS_BATLOW"}},
	} {
		t.Run(tt.keys, func(t *testing.T) {
			f := &fake{acts: true}
			conn, err := api.DialLocal(f.serve(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			c, _, _ := testCLI(tt.keys)
			g := newGlass(80, 24)
			c.out, c.inTTY, c.outTTY, c.env = g, true, true, func(string) string { return "xterm" }
			restored := !tt.plain
			c.raw = func() (func(), error) { restored = false; return func() { restored = true }, nil }
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			d := &demo{c: c, conn: conn, plain: tt.plain, feed: make(chan seen, 1)}
			d.feed <- seen{p: demoPicture(wellRack())}
			if err := d.live(ctx); err != nil || ctx.Err() != nil {
				t.Fatal(err, ctx.Err())
			}
			close(f.asked)
			var asked []string
			for a := range f.asked {
				asked = append(asked, a)
			}
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if err := g.asItWas(); err != nil || restored == tt.plain {
				t.Errorf("the terminal is not as it was: raw mode undone: %v; %v", restored, err)
			}
		})
	}
}
