package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// crowd is a rack of n idle nodes, with two in trouble at its end.
func crowd(n int) *upsv1.MasterStatus {
	m := wellRack()
	m.Nodes = nil
	for i := range n {
		one := wellRack().Nodes[0]
		one.Name = fmt.Sprintf("web%d", i+1)
		m.Nodes = append(m.Nodes, one)
	}
	dark := darkRack()
	m.Nodes = append(m.Nodes, dark.Nodes[0], dark.Nodes[1])
	m.Nodes[n].Name = "late1"
	m.Problems = append(dark.Problems, &upsv1.Problem{On: "node/web2", Name: "hook", Text: "stop-db: exit status 1"})
	return m
}

func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rack       *upsv1.MasterStatus
		cols, rows int
		want       string
	}{
		{"all fits", wellRack(), 80, 24, wellText},
		{"many nodes", crowd(30), 80, 12, `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES    CABLE
main  OK     12s  DTR DCD  liebert-powersure
NODE   ROLE      PHASE  STATE  COUNTDOWN  LINK  PROBLEM
late1  compute   GRACE  FAIL   4m12s      up
db1    database  HELD   FAIL   25m        lost  held by root, node-lost
web2   compute   IDLE   OK     -          up    hook
web1   compute   IDLE   OK     -          up
web3   compute   IDLE   OK     -          up
… 27 more nodes
node/db1: node-lost, for 1m30s: it was last heard 1m30s ago; look at upsagent a…
node/web2: hook: stop-db: exit status 1
`},
		{"a window of a telephone", crowd(30), 40, 10, `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES    CABLE
main  OK     12s  DTR DCD  liebert-powe…
NODE   PHASE  COUNTDOWN  PROBLEM
late1  GRACE  4m12s
db1    HELD   25m        held by root, …
web2   IDLE   -          hook
… 29 more nodes
node/db1: node-lost, for 1m30s: it was …
node/web2: hook: stop-db: exit status 1
`},
		{"three lines", crowd(3), 40, 3, `ups main: OK for 12s
… 5 more nodes
… 2 more problems
`},
		{"one line", crowd(3), 40, 1, "ups main: OK for 12s\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := demoPicture(tt.rack).frame(style{width: tt.cols}, tt.rows)
			if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFrameOfSeveralMasters: where there is no room, what is not well comes first.
func TestFrameOfSeveralMasters(t *testing.T) {
	p := demoPicture(wellRack())
	p.addMaster(darkRack())
	p.Masters = append(p.Masters, masterPicture{Name: "rack3", Error: "no route to host"})
	p.Masters[1].UPS[0].Name = "spare"
	for rows, want := range map[int]string{
		1: "… 3 more lines\n",
		4: "ups spare: FAIL for 48s\n… 2 more lines\n… 3 more nodes\nnode/db1: node-lost, for 1m30s: it was …\n",
		7: "ups spare: FAIL for 48s\nmaster rack3 cannot be asked: no route to host\nups main: OK for 12s\n" +
			"NODE  PHASE  COUNTDOWN  PROBLEM\ndb1   HELD   25m        held by root, n…\n… 2 more nodes\nnode/db1: node-lost, for 1m30s: it was …\n",
	} {
		if diff := cmp.Diff(want, strings.Join(p.frame(style{width: 40}, rows), "\n")+"\n"); diff != "" {
			t.Errorf("%d rows (-want +got):\n%s", rows, diff)
		}
	}
}

// TestFramesFit: whatever is in it, a frame is never higher than the window, nor
// wider once it is narrowed.
func TestFramesFit(t *testing.T) {
	word := rapid.StringMatching(`[a-z…\x1b]{0,5}([a-z]{40})?`)
	text := rapid.StringMatching(`([a-z]{1,9} ){0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		cols, rows := rapid.IntRange(1, 130).Draw(t, "cols"), rapid.IntRange(1, 40).Draw(t, "rows")
		m := crowd(rapid.IntRange(0, 40).Draw(t, "nodes"))
		m.Name, m.Ups[0].Reason, m.Nodes[0].Name, m.Nodes[0].Role = word.Draw(t, "name"), text.Draw(t, "reason"), word.Draw(t, "node"), word.Draw(t, "role")
		for range rapid.IntRange(0, 10).Draw(t, "problems") {
			m.Problems = append(m.Problems, &upsv1.Problem{On: "node/x", Name: word.Draw(t, "problem"), Text: text.Draw(t, "text"), Weakness: rapid.Bool().Draw(t, "weakness")})
		}
		lines := demoPicture(m).frame(style{cols, rapid.Bool().Draw(t, "colour")}, rows)
		if len(lines) > rows {
			t.Fatalf("%d lines in a window of %d", len(lines), rows)
		}
		for _, l := range lines {
			if n := visible(narrowed(l, cols)); n > cols {
				t.Fatalf("%d characters in a window of %d: %q", n, cols, l)
			}
		}
	})
}
