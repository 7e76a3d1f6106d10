package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// sec is a moment so many seconds after boot.
func sec(n float64) power.Uptime { return power.Uptime(n * float64(time.Second)) }

// source is a UPS whose outage, if it is in one, began at 1000.
func source(name string, s power.Status) policy.Source {
	u := policy.Source{Name: name, State: power.State{Status: s, Last: s}}
	if s.OnBattery() {
		u.State.Outage, u.State.OutageSince = "o-"+name, sec(1000)
	}
	return u
}

// blindSource is one that nobody can read any more.
func blindSource(name string, last power.Status) policy.Source {
	u := source(name, last)
	u.State.Status = power.Unknown
	return u
}

func simSource(name string, s power.Status) policy.Source {
	u := source(name, s)
	u.State.Sim = true
	return u
}

// member is a node that is heard at 2000, lives on r/a and needs 10 s to be off.
func member(name string, phase policy.Phase, alter ...func(*policy.Member)) policy.Member {
	m := policy.Member{
		Standing: policy.Standing{Name: name, Attached: true, Present: true, Phase: phase, Heard: sec(2000), StopTime: 10 * time.Second},
		Feeds:    []string{"r/a"}, Need: 1, Told: true,
		Config: policy.Config{Grace: 5 * time.Minute, WaitLimit: time.Minute, LostLimit: 2 * time.Minute},
	}
	for _, f := range alter {
		f(&m)
	}
	return m
}

func goes(at float64) func(*policy.Member) {
	return func(m *policy.Member) { m.Goes, m.Timed = sec(at), true }
}

func committed(at float64) func(*policy.Member) {
	return func(m *policy.Member) { m.Committed = sec(at) }
}

// lost: it was heard last at that moment.
func lost(at float64) func(*policy.Member) {
	return func(m *policy.Member) { m.Attached, m.Heard = false, sec(at) }
}

// probed: it answered last, and is silent since; 0: it answers.
func probed(answered, silent float64) func(*policy.Member) {
	return func(m *policy.Member) { m.Answered, m.Silent = sec(answered), sec(silent) }
}

func feeds(need int, names ...string) func(*policy.Member) {
	return func(m *policy.Member) { m.Feeds, m.Need = names, need }
}

func aHost(m *policy.Member)     { m.Host = true }
func aDryRun(m *policy.Member)   { m.DryRun = true }
func isOrdered(m *policy.Member) { m.Ordered = true }
func awaits(m *policy.Member)    { m.Awaits = true }
func isGood(m *policy.Member)    { m.Good = true }
func waitsFor(m *policy.Member)  { m.Config.WaitFor = true }
func absent(m *policy.Member)    { m.Attached, m.Present = false, false }
func untold(m *policy.Member)    { m.Told = false }

func TestTheEndBeginsBeforeTheHostGoes(t *testing.T) {
	fail := []policy.Source{source("r/a", power.Fail)}
	for _, c := range []struct {
		name string
		host policy.Member
		ups  []policy.Source
		want bool
	}{
		{"its time is far", member("h", policy.Grace, goes(2010.1)), fail, false},
		{"its time is near", member("h", policy.Grace, goes(2010)), fail, true},
		{"its time is past", member("h", policy.Grace, goes(1990)), fail, true},
		{"it waits for low", member("h", policy.Grace), fail, false},
		{"it will wait for somebody", member("h", policy.Grace, goes(2005), awaits), fail, false},
		{"it waits for long", member("h", policy.Waiting, goes(2011)), fail, false},
		{"it has nearly waited", member("h", policy.Waiting, goes(2009)), fail, true},
		{"it waits for ever", member("h", policy.Waiting), fail, false},
		{"it is held", member("h", policy.Held, goes(2001)), fail, false},
		{"committed", member("h", policy.Committed), fail, true},
		{"accepted", member("h", policy.Done), fail, true},
		{"idle", member("h", policy.Idle), fail, false},
		{"by an order", member("h", policy.Committed, isOrdered), fail, false},
		{"a dry run", member("h", policy.Committed, aDryRun), fail, false},
		{"the power is good", member("h", policy.Committed), []policy.Source{source("r/a", power.OK)}, false},
		{"nobody knows the power", member("h", policy.Committed), []policy.Source{blindSource("r/a", power.Unknown)}, false},
		{"blind in an outage", member("h", policy.Committed), []policy.Source{blindSource("r/a", power.Fail)}, true},
		{"one of two UPSes", member("h", policy.Committed), []policy.Source{source("r/b", power.OK), source("r/a", power.BatLow)}, true},
		{"no host", policy.Member{}, fail, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f policy.Fleet
			if got := f.Step(sec(2000), c.host, c.ups); got != c.want || f.Ending() != c.want {
				t.Errorf("ending is %t, want %t", got, c.want)
			}
		})
	}
}

// The host is WAITING to its limit; the end makes somebody commit, for whom it waits anew.
func TestTheEndStaysWhileTheHostWaitsAnew(t *testing.T) {
	fail := []policy.Source{source("r/a", power.Fail)}
	var f policy.Fleet
	for i, c := range []struct {
		host policy.Member
		want bool
	}{
		{member("h", policy.Waiting, goes(2009)), true},
		{member("h", policy.Waiting, goes(2120)), true},
		{member("h", policy.Waiting), true},
		{member("h", policy.Held, goes(2120)), false},
		{member("h", policy.Waiting, goes(2120)), false},
		{member("h", policy.Waiting, goes(2001)), true},
		{member("h", policy.Idle), false},
		{member("h", policy.Waiting, goes(2120)), false},
	} {
		if got := f.Step(sec(2000), c.host, fail); got != c.want {
			t.Errorf("step %d: ending is %t, want %t", i, got, c.want)
		}
	}
}

func TestTheEndIsDueTenSecondsBefore(t *testing.T) {
	var f policy.Fleet
	for _, c := range []struct {
		host policy.Member
		want power.Uptime
	}{
		{member("h", policy.Grace, goes(2100)), sec(2090)},
		{member("h", policy.Waiting, goes(2100)), sec(2090)},
		{member("h", policy.Grace, goes(2100), awaits), 0},
		{member("h", policy.Grace), 0},
		{member("h", policy.Committed), 0},
		{member("h", policy.Grace, goes(2100), aDryRun), 0},
	} {
		got, timed := f.Deadline(c.host)
		if timed != (c.want != 0) || timed && got != c.want {
			t.Errorf("%s: due at %s (%t), want %s", c.host.Phase, got, timed, c.want)
		}
		if timed { // and it is neither sooner nor later
			var f policy.Fleet
			if ups := []policy.Source{source("r/a", power.Fail)}; f.Step(got-1, c.host, ups) || !f.Step(got, c.host, ups) {
				t.Error("the end does not begin when it is due")
			}
		}
	}
}

// lives are who lives on when r/a goes, in a rack with r/b on mains.
var lives = []struct {
	name string
	node policy.Member
	want bool
}{
	{"on it alone", member("n", policy.Grace), false},
	{"on the other alone", member("n", policy.Grace, feeds(1, "r/b")), true},
	{"on both, needs one", member("n", policy.Grace, feeds(1, "r/a", "r/b")), true},
	{"on both, needs both", member("n", policy.Grace, feeds(2, "r/a", "r/b")), false},
	{"needs all", member("n", policy.Grace, feeds(0, "r/a", "r/b")), false},
	{"nobody knows on what", member("n", policy.Grace, feeds(1)), false},
	{"another master's, good", member("n", policy.Idle, feeds(1, "r/a", "s/x"), isGood), true},
	{"another master's, not good", member("n", policy.Grace, feeds(1, "r/a", "s/x")), false},
	{"says good, and can't be", member("n", policy.Idle, isGood), false},
	{"says good, and can't be on two", member("n", policy.Idle, feeds(2, "r/a", "s/x"), isGood), false},
	{"on one alone that is not known", member("n", policy.Idle, feeds(1, "r/c")), true},
	{"one that is not known", member("n", policy.Grace, feeds(1, "r/a", "r/c")), false},
}

func TestTheEndIsForWhoCantLive(t *testing.T) {
	ups := []policy.Source{source("r/a", power.Fail), source("r/b", power.OK), blindSource("r/c", power.Unknown)}
	var f policy.Fleet
	for _, c := range lives {
		if f.Ends(c.node, ups) {
			t.Errorf("%s: it has the order though nobody goes", c.name)
		}
	}
	f.Step(sec(2000), member("h", policy.Committed, aHost), ups)
	for _, c := range lives {
		if f.Ends(c.node, ups) == c.want {
			t.Errorf("%s: it lives on: %t", c.name, c.want)
		}
	}
	if f.Ends(member("h", policy.Committed, aHost), ups) {
		t.Error("the host ends itself")
	}
	// A pretended UPS feeds those who obey it, and the others do not obey this order.
	if f.Ends(member("n", policy.Idle, feeds(1, "r/a", "r/s")), append(ups, simSource("r/s", power.OK))) {
		t.Error("who lives on a pretended UPS goes down with a real one")
	}
}

func TestLaw05TheCutWaitsForEverybody(t *testing.T) {
	ups := []policy.Source{source("r/a", power.Fail), source("r/b", power.OK), blindSource("r/c", power.Unknown)}
	const blocked = -1
	for _, c := range []struct {
		name string
		node policy.Member
		want float64 // not before; blocked
	}{
		{"off", member("n", policy.Done, committed(1900), lost(1901)), 2000},
		{"its link has ended, its disks have not", member("n", policy.Done, committed(1990), lost(1995)), 2030},
		{"silent to probes", member("n", policy.Done, committed(1990), lost(1995), probed(1960, 1965)), 2030},
		{"silent to probes for long", member("n", policy.Done, committed(1960), lost(1965), probed(1969, 1970), func(m *policy.Member) { m.StopTime = time.Hour }), 2000},
		{"off by its time, and answers probes", member("n", policy.Done, committed(1900), lost(1905), probed(1999, 0)), 2029},
		{"boots", member("n", policy.Done, committed(1900), lost(1905), probed(1999, 0), func(m *policy.Member) { m.Alive = sec(1998) }), 2038},
		{"cut off before", member("n", policy.Done, committed(1910), func(m *policy.Member) { m.Attached, m.Heard, m.Cut = false, 0, sec(1910) }), 2000},
		{"cut off before, or overtaken by the mains", member("n", policy.Done, committed(1990), func(m *policy.Member) { m.Attached, m.Heard, m.Cut = false, 0, sec(1990) }), 2030},
		{"accepted", member("n", policy.Done, committed(1990)), 2030},
		{"committed, its hooks run", member("n", policy.Committed, committed(1900)), 2040},
		{"committed, not heard since", member("n", policy.Committed, committed(1985), lost(1990)), 2030},
		{"counts down", member("n", policy.Grace, goes(2005)), 2045},
		{"counts down, lost", member("n", policy.Grace, goes(1990), lost(1980)), 2030},
		{"counts down, lost and gone", member("n", policy.Grace, goes(1950), lost(1940)), 2000},
		{"late", member("n", policy.Grace, goes(1950)), 2040},
		{"counts down, will wait", member("n", policy.Grace, goes(2005), waitsFor), 2120 + 60 + 40},
		{"waits, so long", member("n", policy.Waiting, goes(2050), waitsFor), 2090},
		{"waits, lost", member("n", policy.Waiting, goes(2050), waitsFor, lost(1990)), 2090},
		{"waits for low", member("n", policy.Waiting, waitsFor), 2120 + 60 + 40},
		{"counts on low", member("n", policy.Grace), 2120 + 120 + 40},
		{"counts on low, lost", member("n", policy.Grace, lost(1900)), 2020 + 120 + 40},
		{"held", member("n", policy.Held), 2120 + 120 + 40},
		{"held for an hour's grace", member("n", policy.Held, func(m *policy.Member) { m.Config.Grace = time.Hour }), 1000 + 3600 + 40},
		{"has heard nothing", member("n", policy.Idle), blocked},
		{"lost before it heard", member("n", policy.Idle, lost(1000)), blocked},
		{"only an older master knows it", member("n", policy.Grace, goes(2005), untold), blocked},
		{"says nothing", member("n", policy.PhaseUnknown), blocked},
		{"a dry run", member("n", policy.Done, committed(1000), aDryRun), blocked},
		{"was not there", member("n", policy.Idle, absent), 2000},
		{"a dry run that was not there", member("n", policy.Idle, absent, aDryRun), 2000},
		{"the host", member("n", policy.Committed, aHost), 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := []policy.Cut{{UPS: "r/a", NotBefore: sec(max(2000, c.want))}}
			switch {
			case c.want == blocked:
				want[0].Blocked = []string{"n"}
			case c.want > 2000:
				want[0].Last = "n"
			}
			if diff := cmp.Diff(want, policy.Cuts(sec(2000), []policy.Member{c.node}, ups)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for _, c := range lives {
		cuts := policy.Cuts(sec(2000), []policy.Member{member("idle", policy.Idle, feeds(1, "r/b")), c.node}, ups)
		if holds := len(cuts[0].Blocked) > 0 || cuts[0].NotBefore > sec(2000); holds == c.want {
			t.Errorf("%s: it lives on: %t, and the cut waits for it: %t", c.name, c.want, holds)
		}
	}
}

func TestLaw05EachUPSWaitsForItsOwn(t *testing.T) {
	ups := []policy.Source{source("r/a", power.Fail), blindSource("r/b", power.BatLow), source("r/c", power.OK), simSource("r/s", power.Fail)}
	nodes := []policy.Member{
		member("h", policy.Committed, aHost),
		member("a1", policy.Grace, goes(2005)),
		member("a2", policy.Grace, goes(2003)),
		member("ab", policy.Grace, goes(2008), feeds(1, "r/a", "r/b")),
		member("b1", policy.Idle, feeds(1, "r/b")),
		member("b0", policy.Idle, feeds(1, "r/b")),
		member("as", policy.Grace, goes(2009), feeds(1, "r/a", "r/s")),
		member("c1", policy.Idle, feeds(1, "r/c")),
		member("s1", policy.Idle, feeds(1, "r/s")),
	}
	want := []policy.Cut{
		{UPS: "r/a", NotBefore: sec(2049), Last: "as"},
		{UPS: "r/b", NotBefore: sec(2048), Last: "ab", Blocked: []string{"b0", "b1"}},
	}
	if diff := cmp.Diff(want, policy.Cuts(sec(2000), nodes, ups)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Whoever lives by a pretended UPS alone is fed by nobody knows what.
	ups[3] = simSource("r/s", power.OK)
	if got := policy.Cuts(sec(2000), nodes[6:7], ups); got[0].NotBefore != sec(2049) {
		t.Errorf("who has a pretended UPS beside it is cut off at %s", got[0].NotBefore)
	}
}

// What is said of when a node will be off is held against the node's own machine: left
// alone from any moment of an outage on, it goes by then.
func TestLaw05WhoIsLeftAloneGoesByThen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := func(what string, most time.Duration) time.Duration {
			return time.Duration(rapid.IntRange(0, int(most/time.Second)).Draw(t, what)) * time.Second
		}
		cfg := policy.Config{
			Grace: of("grace", 10*time.Minute), GraceBatLow: rapid.Bool().Draw(t, "batlow"), GraceMin: of("grace_min", time.Minute),
			BatLowGrace: of("batlow_grace", time.Minute), WaitFor: rapid.Bool().Draw(t, "waits"), WaitLimit: of("wait_limit", 5*time.Minute),
			WaitLimitBatLow: of("wait_limit_batlow", time.Minute), LostLimit: of("lost_limit", 5*time.Minute), StopTime: 10 * time.Second,
		}
		state := source("r/a", power.Fail).State
		state.HasLow = rapid.Bool().Draw(t, "has low")
		if rapid.Bool().Draw(t, "runtime known") {
			state.Runtime = of("runtime", time.Hour)
		}
		m, now := policy.NewMachine(cfg), sec(1000)
		awaited := policy.Awaited{}
		step := func(link power.Link, o policy.Order) {
			m.Step(now, policy.News{Power: policy.Power{State: state, Link: link}, Order: o, Awaited: awaited})
		}
		live := func(until power.Uptime) {
			for m.View().Phase < policy.Committed {
				at, ok := m.Deadline()
				if !ok || at.After(until) {
					now = until
					break
				}
				now = max(now, at)
				m.Step(now, policy.Tick{})
			}
		}
		var o policy.Order
		for i := range rapid.IntRange(1, 4).Draw(t, "words") {
			switch rapid.SampledFrom([]string{"", "hold", "release", "end", "low", "awaited", "off"}).Draw(t, "word") {
			case "hold":
				o = policy.Order{Kind: policy.OrderHold, By: "x", Until: now.Add(of("hold", time.Hour))}
			case "release":
				o = policy.Order{}
			case "end":
				o = policy.Order{Kind: policy.OrderEnd, By: "r"}
			case "low":
				if state.HasLow {
					state.Status, state.Last = power.BatLow, power.BatLow
				}
			case "awaited":
				awaited = policy.Awaited{Up: []string{"w"}, Open: rapid.Bool().Draw(t, "open")}
				if !awaited.Open {
					awaited.Limit = now.Add(max(cfg.WaitLimit, cfg.StopTime))
				}
			case "off":
				awaited = policy.Awaited{}
			}
			step(power.LinkUp, o)
			if i > 0 {
				live(now.Add(of("lives", 5*time.Minute)))
			}
		}
		v := m.View()
		if v.Phase >= policy.Committed {
			return
		}
		left := now
		n := policy.Member{
			Standing: policy.Standing{Name: "n", Attached: true, Present: true, Phase: v.Phase, Heard: now, StopTime: cfg.StopTime},
			Feeds:    []string{"r/a"}, Need: 1, Told: true, Config: cfg,
		}
		if v.Phase != policy.Held {
			n.Goes, n.Timed = v.Deadline, v.Timed
		}
		if rapid.Bool().Draw(t, "lost already") { // so the master heard no more either
			n.Attached = false
		}
		c := policy.Cuts(now, []policy.Member{n}, []policy.Source{{Name: "r/a", State: state}})[0]
		if len(c.Blocked) > 0 {
			t.Fatalf("%s in an outage that it knows of: nobody can say when it goes", v.Phase)
		}
		if rapid.Bool().Draw(t, "goodbye") {
			step(power.LinkAway, o)
			live(now.Add(of("away", 3*time.Minute)))
		}
		if m.View().Phase < policy.Committed {
			step(power.LinkLost, o)
		}
		live(left.Add(24 * time.Hour))
		if v := m.View(); v.Phase < policy.Committed || now.Add(cfg.StopTime).After(c.NotBefore) {
			t.Fatalf("it is %s at %s, and the load may be cut from %s on; left alone at %s as %+v", strings.ToLower(v.Phase.String()), now, c.NotBefore, left, n)
		}
	})
}

func TestAFleetOfTwoHundred(t *testing.T) {
	var nodes []policy.Member
	for i := range 200 {
		nodes = append(nodes, member(strings.Repeat("n", i+1), policy.Grace, goes(2000+float64(i))))
	}
	ups := []policy.Source{source("r/a", power.Fail)}
	if c := policy.Cuts(sec(2000), nodes, ups)[0]; c.NotBefore != sec(2199+40) || len(c.Last) != 200 {
		t.Errorf("the cut of 200 is due at %s, after %d", c.NotBefore, len(c.Last))
	}
	nodes[77].Phase, nodes[77].Timed = policy.Idle, false
	if c := policy.Cuts(sec(2000), nodes, ups)[0]; len(c.Blocked) != 1 {
		t.Errorf("one of 200 that heard nothing: blocked by %d", len(c.Blocked))
	}
}

// A node that waits at its limit hears, while the master's host is on its way down, that
// another has committed, and waits anew for that one; not so once the battery is low.
func TestLaw05TheCutWaitsForWhoWaitsAnew(t *testing.T) {
	waits := func(name string, goes power.Uptime) policy.Member {
		return policy.Member{
			Standing: policy.Standing{Name: name, Attached: true, Present: true, Phase: policy.Waiting, Goes: goes, Timed: true, Heard: sec(2000), StopTime: 10 * time.Second},
			Feeds:    []string{"r/a"}, Need: 1, Told: true, Config: policy.Config{WaitFor: true, WaitLimit: time.Minute},
		}
	}
	host := waits("host", 0)
	host.Host, host.Phase, host.Committed, host.StopTime = true, policy.Committed, sec(2000), 20*time.Second
	all := []policy.Member{host, waits("a", sec(2005)), waits("b", sec(2010))}
	for status, want := range map[power.Status]power.Uptime{
		power.Fail:   sec(2020 + 60 + 10 + 30), // b hears of a until the host is off, has its limit, stops
		power.BatLow: sec(2010 + 10 + 30),
	} {
		ups := []policy.Source{{Name: "r/a", State: power.State{Status: status, Last: status, Outage: "o", OutageSince: sec(1000)}}}
		if got := policy.Cuts(sec(2000), all, ups)[0].NotBefore; got != want {
			t.Errorf("%s: not cut before %s, want %s", status, got, want)
		}
	}
}
