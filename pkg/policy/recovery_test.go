package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// comebackRack is a rack with one UPS, "main", by hand.
type comebackRack struct {
	t     *testing.T
	r     *Recovery
	now   power.Uptime
	ups   map[string]*power.State
	nodes map[string]*Present
	said  []string // what was woken and who came back, since last asked
	saves int
}

var comebackConfig = RecoveryConfig{HoldOff: time.Minute, MinCharge: 30, Limit: 30 * time.Minute, Stagger: 5 * time.Second}

func newComebackRack(t *testing.T, nodes ...string) *comebackRack {
	c := &comebackRack{t: t, now: power.Uptime(time.Hour), ups: map[string]*power.State{}, nodes: map[string]*Present{}}
	c.r = NewRecovery(comebackConfig, c.now)
	c.supply("main", power.OK)
	for _, n := range nodes {
		c.nodes[n] = &Present{
			Name: n, Boot: "1", Attached: true, Phase: Idle, UPS: []string{"main"}, Need: 1,
			Ways: []string{WakeCycle, WakeWOL}, StopTime: 10 * time.Second,
		}
	}
	c.pass(time.Minute)
	return c
}

// supply makes a UPS say something, with a battery of 10 minutes that is full.
func (c *comebackRack) supply(name string, s power.Status) {
	was := c.ups[name]
	if was == nil {
		was = &power.State{}
	}
	st := power.State{Status: s, Since: c.now, Last: s, Runtime: 10 * time.Minute, Outage: was.Outage}
	switch {
	case s == power.Unknown:
		st.Last = was.Known()
	case s == power.OK:
		st.Outage = ""
	case st.Outage == "":
		st.Outage = fmt.Sprintf("%s@%d", name, c.now)
	}
	c.ups[name] = &st
	c.look()
}

// look feeds the recovery.
func (c *comebackRack) look() {
	var ups []Supply
	for name, s := range c.ups {
		ups = append(ups, Supply{Name: name, State: *s, Recharge: 10 * time.Hour})
	}
	var nodes []Present
	for _, n := range c.nodes {
		nodes = append(nodes, *n)
	}
	out := c.r.Step(c.now, ups, nodes)
	for _, w := range out.Wake {
		c.said = append(c.said, fmt.Sprintf("wake %s #%d", w.Node, w.Try))
	}
	for _, b := range out.Back {
		c.said = append(c.said, fmt.Sprintf("%s back after %d", b.Node, b.Tries))
	}
	if out.Changed {
		c.saves++
	}
}

// pass lets d pass, stepping when it is due.
func (c *comebackRack) pass(d time.Duration) {
	end := c.now.Add(d)
	for n := 0; ; n++ {
		at, timed := c.r.Deadline()
		if !timed || at.After(end) {
			break
		}
		if n > 10_000 {
			c.t.Fatalf("at %s it wants to be called again and again, at %s", c.now, at)
		}
		c.now = max(c.now, at)
		c.look()
	}
	c.now = end
	c.look()
}

// goes makes a node commit and go off.
func (c *comebackRack) goes(name string) {
	c.nodes[name].Phase = Committed
	c.look()
	c.nodes[name].Attached = false
	c.look()
}

// comes makes a node attach in another boot.
func (c *comebackRack) comes(name string) {
	n := c.nodes[name]
	n.Boot, n.Attached, n.Phase = n.Boot+"+", true, Idle
	c.look()
}

// reboots makes the master's machine begin anew on what is on disk.
func (c *comebackRack) reboots(up ...string) {
	disk, err := json.Marshal(c.r.State())
	if err != nil {
		c.t.Fatal(err)
	}
	c.now = power.Uptime(time.Second)
	c.r = NewRecovery(comebackConfig, c.now)
	for name, s := range c.ups {
		c.ups[name] = &power.State{Runtime: s.Runtime} // nothing is read yet
	}
	was := c.nodes
	c.nodes = map[string]*Present{}
	for _, n := range up {
		c.nodes[n] = was[n]
	}
	c.look()
	var st RecoveryState
	if err := json.Unmarshal(disk, &st); err != nil {
		c.t.Fatal(err)
	}
	c.r.Restore(c.now, st, false)
	c.look()
}

// want holds what was said since.
func (c *comebackRack) want(says ...string) {
	c.t.Helper()
	if diff := cmp.Diff(strings.Join(says, "; "), strings.Join(c.said, "; ")); diff != "" {
		c.t.Errorf("at %s (-want +got):\n%s", c.now, diff)
	}
	c.said = nil
}

func TestLaw07TheLastToGoComesFirst(t *testing.T) {
	c := newComebackRack(t, "db", "disk", "web")
	c.supply("main", power.Fail)
	c.pass(time.Minute)
	for _, n := range []string{"web", "db", "disk"} {
		c.goes(n)
		c.pass(10 * time.Second)
	}
	c.supply("main", power.OK)
	c.pass(59 * time.Second)
	c.want()
	c.pass(time.Second)
	c.want("wake disk #1")
	c.pass(10 * time.Second)
	c.want("wake db #1", "wake web #1")
	c.comes("disk")
	c.pass(25 * time.Second)
	c.want("disk back after 1", "wake db #2") // its pause is over
	c.comes("web")
	c.comes("db")
	c.pass(time.Hour)
	c.want("web back after 1", "db back after 2")
	if left := c.r.State().Nodes; len(left) > 0 {
		t.Errorf("everybody is back, and these are still remembered: %v", left)
	}
}

func TestLaw07RetriesNeverEnd(t *testing.T) {
	c := newComebackRack(t, "web")
	c.supply("main", power.Fail)
	c.goes("web")
	c.supply("main", power.OK)
	c.pass(time.Hour)
	if n := len(c.said); n < 8 || n > 12 {
		t.Errorf("woken %d times in the first hour: %v; want some 10, further and further apart", n, c.said)
	}
	if !c.r.Comebacks(c.now)["web"].Overdue {
		t.Error("nobody is told that it stays away")
	}
	c.pass(30 * 24 * time.Hour)
	c.said = nil
	c.pass(time.Hour)
	if n := len(c.said); n != 6 {
		t.Errorf("a month later it was woken %d times in an hour, want every 10 minutes", n)
	}
	c.said = nil
	if !c.r.Release("web") {
		t.Error("it could not be released")
	}
	c.pass(time.Hour)
	c.want()
}

func TestLaw07AMasterThatWasRebootedGoesOn(t *testing.T) {
	for _, cut := range []bool{false, true} {
		c := newComebackRack(t, "db", "web", "far")
		c.supply("main", power.Fail)
		c.pass(time.Minute)
		c.goes("web")
		c.goes("db")
		if cut { // the battery ended before far had gone
			c.reboots()
		} else {
			c.nodes["far"].Attached = false
			c.look()
			c.reboots()
		}
		c.pass(2 * time.Second)
		c.supply("main", power.OK)
		c.pass(59 * time.Second)
		c.want()
		c.pass(11 * time.Second)
		c.want("wake far #1", "wake db #1", "wake web #1")
		c.reboots() // and once more, in the middle
		c.supply("main", power.OK)
		c.pass(time.Minute)
		c.want("wake far #1")
		c.nodes["web"] = &Present{Name: "web", Boot: "2", Attached: true, Phase: Idle, UPS: []string{"main"}, Need: 1}
		c.look()
		c.want("web back after 0")
	}
}

func TestLaw07ASecondOutageBeginsAnew(t *testing.T) {
	c := newComebackRack(t, "db", "web")
	c.supply("main", power.Fail)
	c.goes("web")
	c.goes("db")
	c.supply("main", power.OK)
	c.pass(time.Minute)
	c.want("wake db #1")
	c.comes("db")
	c.supply("main", power.Fail)
	c.want("db back after 1")
	c.pass(time.Hour)
	c.want() // not on battery
	c.goes("db")
	st := *c.ups["main"]
	st.Status, st.Last, st.Since, st.Outage, st.Debt = power.OK, power.OK, c.now, "", 8*time.Minute
	c.ups["main"] = &st
	c.look()
	// 80 % are spent; at 1 % in 6 minutes 30 % would be there after an hour: the limit is earlier.
	c.pass(29 * time.Minute)
	c.want()
	if waits := c.r.Comebacks(c.now)["web"].Waits; waits != "main to be charged to 30 % (24 % now)" {
		t.Errorf("it waits for %q", waits)
	}
	c.pass(time.Minute + 5*time.Second)
	c.want("wake db #1", "wake web #1")
}

func TestComebackWaitsForCharge(t *testing.T) {
	c := newComebackRack(t, "web")
	c.supply("main", power.Fail)
	c.goes("web")
	c.supply("main", power.OK)
	c.ups["main"].Debt = 7*time.Minute + 30*time.Second // 25 %
	c.look()
	c.pass(29 * time.Minute)
	c.want()
	c.pass(time.Minute + 10*time.Second) // 5 % in half an hour
	c.want("wake web #1")
}

func TestWhoIsBroughtBack(t *testing.T) {
	type rack = comebackRack
	down := func(c *rack) {
		c.supply("main", power.Fail)
		c.goes("web")
		c.supply("main", power.OK)
	}
	tests := []struct {
		name string
		is   Present // besides the usual
		do   func(c *rack)
		want string
	}{
		{"whoever went", Present{}, down, "wake web #1"},
		{"one that was gone before anybody looked", Present{}, func(c *rack) {
			c.nodes["web"].Phase, c.nodes["web"].Attached = Done, false
			c.supply("main", power.Fail)
			c.supply("main", power.OK)
		}, "wake web #1"},
		{"one that had been told to, and was gone before anybody looked", Present{}, func(c *rack) {
			c.nodes["web"].Phase, c.nodes["web"].Attached, c.nodes["web"].Sent = Done, false, true
			c.supply("main", power.Fail)
			c.supply("main", power.OK)
		}, ""},
		{"one that comes back into a failure, and goes at once as it ends", Present{}, func(c *rack) {
			down(c)
			c.supply("main", power.Fail)
			c.look()
			c.nodes["web"].Boot, c.nodes["web"].Phase, c.nodes["web"].Attached = "2", Done, true
			c.supply("main", power.OK) // between two looks
			c.want("web back after 0")
			c.nodes["web"].Attached = false
		}, "wake web #1"},
		{"who is called back is not", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["web"].Phase = Committed
			c.look()
			c.supply("main", power.OK)
			c.nodes["web"].Phase = Idle
			c.look()
			c.pass(time.Minute)
			c.nodes["web"].Attached = false // later, for another reason
		}, ""},
		{"who is called back and goes all the same: its system had begun", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["web"].Phase = Committed
			c.look()
			c.supply("main", power.OK)
			c.nodes["web"].Phase = Idle
			c.look()
			c.pass(10 * time.Second)
			c.nodes["web"].Attached = false
		}, "wake web #1"},
		{"whoever was up when the master's own machine went, and is not when it is back", Present{UPS: []string{"b"}}, func(c *rack) {
			c.supply("b", power.OK)
			c.nodes["host"] = &Present{Name: "host", Boot: "1", Attached: true, Phase: Committed, Host: true, NeverGoes: true}
			c.look()
			c.reboots()
			c.supply("b", power.OK)
		}, "wake web #1"},
		{"the same, but people shut that down", Present{UPS: []string{"b"}}, func(c *rack) {
			c.supply("b", power.OK)
			c.nodes["host"] = &Present{Name: "host", Boot: "1", Attached: true, Phase: Committed, Host: true, NeverGoes: true, Sent: true}
			c.look()
			c.reboots()
			c.supply("b", power.OK)
		}, ""},
		{"whoever is up when that machine is back", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["host"] = &Present{Name: "host", Boot: "1", Attached: true, Phase: Committed, Host: true, NeverGoes: true}
			c.look()
			c.reboots()
			c.supply("main", power.OK)
			c.nodes["web"] = &Present{Name: "web", Boot: "1", Attached: true, Phase: Idle, UPS: []string{"main"}, Need: 1}
			c.pass(time.Minute)
			c.nodes["web"].Attached = false
		}, ""},
		{"who goes after the power is back: it had been accepted", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["web"].Phase = Done
			c.look()
			c.supply("main", power.OK)
			c.nodes["web"].Attached = false
		}, "wake web #1"},
		{"who fell silent: nobody knows that it runs", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["web"].Attached = false
			c.look()
			c.supply("main", power.OK)
		}, "wake web #1"},
		{"who is heard again is not", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.nodes["web"].Attached = false
			c.look()
			c.supply("main", power.OK)
			c.nodes["web"].Attached = true
		}, ""},
		{"who was off before is not", Present{}, func(c *rack) {
			c.nodes["web"].Attached = false
			c.look()
			c.supply("main", power.Fail)
			c.supply("main", power.OK)
		}, ""},
		{"who people shut down before is not", Present{}, func(c *rack) {
			c.nodes["web"].Phase, c.nodes["web"].Sent = Committed, true
			c.look()
			down(c)
		}, ""},
		{"who people shut down is not", Present{}, func(c *rack) {
			c.nodes["web"].Sent = true
			c.goes("web")
		}, ""},
		{"who goes in a failure that nobody saw", Present{}, func(c *rack) { c.goes("web") }, "wake web #1"},
		{"who does not obey pretended states is not", Present{}, func(c *rack) {
			c.ups["main"].Sim = true
			st := *c.ups["main"]
			st.Status, st.Last, st.Outage = power.Fail, power.Fail, "sim"
			c.ups["main"] = &st
			c.look()
			c.nodes["web"].Attached = false
			c.look()
			c.supply("main", power.OK)
		}, ""},
		{"a dry run never goes", Present{NeverGoes: true}, down, ""},
		{"who only waits for the UPS's cycle", Present{Ways: []string{WakeCycle}}, down, ""},
		{"a wake hook", Present{Ways: []string{WakeHook}}, down, "wake web #1"},
		{"one of two UPSes is enough", Present{UPS: []string{"main", "b"}}, func(c *rack) {
			c.supply("b", power.OK)
			c.supply("b", power.Fail)
			c.supply("main", power.Fail)
			c.goes("web")
			c.supply("main", power.OK)
		}, "wake web #1"},
		{"both are needed", Present{UPS: []string{"main", "b"}, Need: 2}, func(c *rack) {
			c.supply("b", power.OK)
			c.supply("b", power.Fail)
			down(c)
		}, ""},
		{"the other master's has the benefit of the doubt", Present{Need: 2, Others: 1}, down, "wake web #1"},
		{"blind, and good before", Present{}, func(c *rack) {
			down(c)
			c.supply("main", power.Unknown)
		}, "wake web #1"},
		{"blind, and on battery before", Present{}, func(c *rack) {
			c.supply("main", power.Fail)
			c.goes("web")
			c.supply("main", power.Unknown)
		}, ""},
		{"released", Present{}, func(c *rack) {
			down(c)
			c.r.Release("web")
		}, ""},
		{"struck off", Present{}, func(c *rack) {
			down(c)
			c.r.Forget("web")
			delete(c.nodes, "web")
		}, ""},
		{"a container has its host's boot", Present{}, func(c *rack) {
			down(c)
			c.nodes["web"].Attached, c.nodes["web"].Phase = true, Idle
		}, "web back after 0"},
		{"shut down to be woken", Present{}, func(c *rack) {
			c.nodes["web"].Sent = true
			c.r.Ask(*c.nodes["web"], "root")
			c.goes("web")
		}, "wake web #1"},
		{"the same, called back", Present{}, func(c *rack) {
			c.nodes["web"].Sent = true
			c.r.Ask(*c.nodes["web"], "root")
			c.nodes["web"].Phase = Committed
			c.look()
			c.nodes["web"].Phase, c.nodes["web"].Sent = Idle, false
			c.look()
			c.nodes["web"].Attached = false
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newComebackRack(t, "web")
			n := c.nodes["web"]
			n.NeverGoes, n.Others, n.Need = tt.is.NeverGoes, tt.is.Others, max(1, tt.is.Need)
			if tt.is.UPS != nil {
				n.UPS = tt.is.UPS
			}
			if tt.is.Ways != nil {
				n.Ways = tt.is.Ways
			}
			tt.do(c)
			c.pass(65 * time.Second)
			c.said = c.said[:min(1, len(c.said))]
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			c.want(want...)
		})
	}
}

// TestNobodySeesTheUPS: after a boot of the master whose UPS can't be read everybody is
// started when the limit is over, because no power would do the same.
func TestNobodySeesTheUPS(t *testing.T) {
	c := newComebackRack(t, "web")
	c.supply("main", power.Fail)
	c.goes("web")
	c.reboots()
	c.pass(29 * time.Minute)
	c.want()
	c.pass(time.Minute)
	c.want("wake web #1")
}

// TestAMasterBeginsWithThoseWhoAreUp: who is up has time to attach, however short the
// hold-off.
func TestAMasterBeginsWithThoseWhoAreUp(t *testing.T) {
	c := newComebackRack(t, "web")
	c.supply("main", power.Fail)
	c.r.cfg.HoldOff = 0
	c.reboots()
	c.r.cfg.HoldOff = 0
	c.supply("main", power.OK)
	c.pass(5 * time.Second)
	c.want()
	c.nodes["web"] = &Present{Name: "web", Boot: "1", Attached: true, Phase: Idle, UPS: []string{"main"}, Need: 1}
	c.pass(time.Hour)
	c.want()
}

// TestTwoHundredComeBack: everybody is tried once before anybody is twice.
func TestTwoHundredComeBack(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("n%03d", i))
	}
	c := newComebackRack(t, names...)
	c.supply("main", power.Fail)
	for _, n := range names {
		c.goes(n)
	}
	c.supply("main", power.OK)
	c.pass(time.Minute + 199*5*time.Second)
	for i, s := range c.said {
		if want := fmt.Sprintf("wake n%03d #1", 199-i); s != want {
			t.Fatalf("as number %d it said %q, want %q", i, s, want)
		}
	}
	if len(c.said) != 200 {
		t.Errorf("woken were %d of 200 after 200 turns", len(c.said))
	}
	if c.saves > 1000 {
		t.Errorf("written %d times", c.saves)
	}
}
