package proof

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// tale is a rack on paper, told line by line, and what it proves.
type tale struct {
	p    *Proofs
	now  power.Uptime
	wall time.Time
	boot int
	r    Rack
}

func newTale() *tale {
	ta := &tale{now: power.Uptime(time.Hour), wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), p: New("m0")}
	ta.r = Rack{UPS: []UPS{{Name: "main"}}}
	for _, n := range []string{"host", "web1", "db1"} {
		ta.r.Nodes = append(ta.r.Nodes, Node{Name: n, Boot: n + "-0", Host: n == "host", Ever: true, Link: power.LinkUp, Phase: policy.Idle, UPS: []string{"main"}})
	}
	ta.tell("ok")
	return ta
}

// tell carries out lines: "ok", "fail o1", "low", "blind" of the UPS; "web1 fail",
// "web1 commit", "web1 done", "web1 ok" a node's report, "web1 lost", "web1 off",
// "web1 up", "web1 boot"; "10s" time; "restart" and "reboot" the master's. A line
// that begins with ~ falls between two looks.
func (ta *tale) tell(lines ...string) {
	for _, line := range lines {
		line, unseen := strings.CutPrefix(line, "~")
		word, arg, _ := strings.Cut(line, " ")
		n := ta.r.Node(word)
		d, err := time.ParseDuration(word)
		switch {
		case err == nil:
			ta.now, ta.wall = ta.now.Add(d), ta.wall.Add(d)
		case n != nil:
			ta.node(n, arg)
		case word == "restart" || word == "reboot":
			ta.again(word == "reboot")
		case word == "seal":
			ta.seal(arg)
		case word == "wake":
			ta.p.Woke(arg)
		case word == "suspect":
			ta.r.UPS[0].Suspect = true
		default:
			ta.ups(word, arg)
		}
		if !unseen {
			r := ta.r
			r.UPS, r.Nodes = slices.Clone(r.UPS), slices.Clone(r.Nodes)
			ta.p.Step(ta.now, ta.wall, r)
		}
	}
}

// seal: "o1 10m" seals for a battery that lasts so long, "" takes it back.
func (ta *tale) seal(words string) {
	id, lasts, _ := strings.Cut(words, " ")
	if id == "" {
		ta.p.Seal(nil)
		return
	}
	d, err := time.ParseDuration(lasts)
	if err != nil {
		panic(err)
	}
	ta.p.Seal(map[string]Sealed{"main": {Outage: id, Wall: ta.wall, Lasts: d}})
}

func (ta *tale) ups(word, arg string) {
	s := &ta.r.UPS[0].State
	was := *s
	id, kind, _ := strings.Cut(arg, " ")
	switch word {
	case "ok":
		*s = power.State{Status: power.OK}
	case "fail":
		*s = power.State{Status: power.Fail, Outage: id, OutageSince: ta.now}
	case "low":
		s.Status = power.BatLow
	case "blind":
		*s = power.State{Last: was.Known(), Outage: was.Outage}
	default:
		panic(word)
	}
	if word != "low" {
		s.Sim, s.Drill = kind == "sim", kind == "drill"
	}
}

func (ta *tale) node(n *Node, word string) {
	switch word {
	case "ok":
		n.Status, n.Phase = power.OK, policy.Idle
	case "fail":
		n.Status, n.Phase = power.Fail, policy.Grace
	case "hear":
		n.Status = power.Fail
	case "commit":
		n.Phase = policy.Committed
	case "done":
		n.Phase = policy.Done
	case "lost":
		n.Link = power.LinkLost
	case "off":
		n.Link = power.LinkAway
	case "quiet":
		n.Off, n.Silent = policy.OffProbed, ta.now
	case "rtc":
		n.Wake = []string{policy.WakeCycle, policy.WakeRTC}
	case "abroad":
		n.Foreign = true
	case "two":
		n.UPS = []string{"main", "spare"}
	case "up":
		n.Link = power.LinkUp
	case "boot":
		n.Link, n.Phase, n.Status, n.Boot = power.LinkUp, policy.Idle, power.OK, n.Boot+"+"
	default:
		panic(word)
	}
}

// again starts the master anew on what lies on disk; its host goes on only if that
// did not boot.
func (ta *tale) again(booted bool) {
	b, err := json.Marshal(ta.p)
	if err != nil {
		panic(err)
	}
	var old Proofs
	if err := json.Unmarshal(b, &old); err != nil {
		panic(err)
	}
	if booted {
		ta.boot++
		ta.now = power.Uptime(time.Minute)
		ta.node(ta.r.Node("host"), "boot")
	}
	ta.p = New(fmt.Sprintf("m%d", ta.boot))
	ta.p.Resume(&old, "host")
	ta.ups("blind", "")
	if booted {
		ta.r.UPS[0].State = power.State{}
	}
	for i := range ta.r.Nodes {
		if n := &ta.r.Nodes[i]; !n.Host {
			n.Link, n.Phase, n.Status = 0, 0, 0
		}
	}
}

// proved is everything that is proved, a line for each.
func (ta *tale) proved() []string {
	var out []string
	at := func(t time.Time) string { return t.Sub(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)).String() }
	for _, name := range slices.Sorted(maps.Keys(ta.p.Nodes)) {
		n := ta.p.Nodes[name]
		line := fmt.Sprintf("%s: %d, last %s", name, n.Outages, n.Last)
		if m := n.Measured(); m.Takes > 0 {
			line += ", stop " + (m.Takes - policy.OffMargin).String()
		}
		if !n.BackWall.IsZero() {
			line += ", back " + at(n.BackWall)
		}
		out = append(out, line)
	}
	for _, name := range slices.Sorted(maps.Keys(ta.p.UPS)) {
		u := ta.p.UPS[name]
		line := fmt.Sprintf("%s: %d", name, u.Outages)
		if !u.LowWall.IsZero() {
			line += ", low " + at(u.LowWall)
		}
		if !u.KillWall.IsZero() {
			line += ", kill " + at(u.KillWall)
		}
		out = append(out, line)
	}
	if ta.p.Dark != nil {
		out = append(out, "dark")
	}
	return out
}

func TestWhatOutagesProve(t *testing.T) {
	heard := []string{"fail o1", "host fail", "web1 fail", "db1 fail"}
	all := func(lines ...string) []string { return append(slices.Clone(heard), lines...) }
	for name, c := range map[string]struct{ story, want []string }{
		"nothing happens":             {[]string{"1h", "ok"}, nil},
		"all stay up":                 {all("5s", "ok", "host ok"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1", "main: 1"}},
		"twice":                       {all("ok", "host ok", "web1 ok", "db1 ok", "fail o2", "web1 fail", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 2, last o2", "main: 2"}},
		"one is lost":                 {all("web1 lost", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one was lost for a moment":   {all("web1 lost", "web1 up", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one said that it goes":       {all("web1 off", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one was reset":               {all("web1 boot", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one was reset at the end":    {all("~web1 boot", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one was lost before":         {append([]string{"web1 lost"}, all("web1 up", "ok")...), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one never heard of it":       {[]string{"fail o1", "host fail", "web1 fail", "ok"}, []string{"host: 1, last o1", "web1: 1, last o1", "main: 1"}},
		"blind in between":            {all("blind", "10s", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1", "main: 1"}},
		"it is not over":              {all("1h", "blind", "1h"), nil},
		"nobody saw it begin":         {append([]string{"blind", "fail o1"}, all("ok")[1:]...), nil},
		"nobody saw it at all":        {[]string{"~fail o1", "~web1 fail", "ok"}, nil},
		"two, and the seam unseen":    {all("~ok", "fail o2", "web1 fail", "ok"), []string{"main: 1"}},
		"a pretended one":             {[]string{"fail o1 sim", "web1 fail", "low", "ok"}, nil},
		"a drill":                     {[]string{"fail o1 drill", "web1 fail", "ok"}, nil},
		"a drill, and reality in it":  {[]string{"fail o1 drill", "web1 fail", "fail o2", "web1 fail", "ok"}, nil},
		"a drill that hides the end":  {all("fail o2 drill", "ok"), nil},
		"low":                         {all("10s", "low", "10s", "ok"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1", "main: 1, low 10s"}},
		"low, and it may be the plug": {[]string{"fail o1", "suspect", "low"}, nil},
		"one goes and comes back": {all("1m", "web1 commit", "20s", "web1 done", "41s", "web1 off", "10m", "ok", "2m", "web1 boot", "1m"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, stop 1m1s, back 14m1s", "main: 1"}},
		"one goes between two looks": {all("~web1 commit", "web1 off", "ok", "web1 boot"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, back 0s", "main: 1"}},
		"one goes, and only its link did": {all("web1 commit", "5s", "web1 lost", "5s", "ok", "web1 up", "web1 ok"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one goes, and it was its link, soon": {all("web1 commit", "5s", "web1 lost", "web1 up", "ok"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one goes and comes back before the power": {all("web1 done", "1s", "web1 off", "web1 boot", "5m", "ok", "1m"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, stop 1s, back 5m1s", "main: 1"}},
		"one goes and stays down":     {all("web1 commit", "web1 off", "ok", "24h"), []string{"db1: 1, last o1", "host: 1, last o1", "main: 1"}},
		"one is switched on next day": {all("web1 commit", "3s", "web1 off", "ok", "12h", "web1 boot"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, stop 3s", "main: 1"}},
		"one takes it back":           {all("web1 commit", "web1 ok", "ok", "web1 ok", "24h", "web1 boot"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1", "main: 1"}},
		"one goes too late to take it back": {all("web1 done", "ok", "5s", "web1 off", "1m", "web1 boot"),
			[]string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, back 1m5s", "main: 1"}},
		"one booted, went and came into touch, and nobody saw the boot": {[]string{"fail o1", "~web1 boot", "~web1 fail", "~web1 commit", "web1 lost", "ok", "web1 up"}, []string{"main: 1"}},
		"its end was unseen, and then the host goes":                    {[]string{"fail o1", "host fail", "~ok", "blind", "host commit", "reboot", "ok"}, []string{"main: 1"}},
		"one goes by somebody's order":                                  {append([]string{"web1 commit"}, "fail o1", "host fail", "1s", "web1 off", "ok", "web1 boot"), []string{"host: 1, last o1", "main: 1"}},
		"and hears of it on its way":                                    {[]string{"web1 commit", "fail o1", "host fail", "web1 hear", "web1 off", "ok", "web1 boot"}, []string{"host: 1, last o1", "main: 1"}},
		"the host goes by order, with it the master":                    {[]string{"fail o1", "host commit", "reboot", "ok"}, []string{"main: 1"}},
		"one goes by order as it fails":                                 {[]string{"~web1 commit", "fail o1", "host fail", "1s", "web1 off", "ok", "web1 boot"}, []string{"host: 1, last o1", "main: 1"}},
		"a dry run":                                                     {all("web1 done", "ok", "5s", "web1 ok", "24h", "web1 boot"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1", "main: 1"}},
		// The whole rack is off, the master with it, and back when the mains are.
		"the whole rack": {all("1m", "web1 commit", "9s", "web1 off", "db1 commit", "db1 done", "host commit", "host done", "reboot", "ok", "1m", "web1 boot", "db1 boot"),
			[]string{"db1: 1, last o1, back 2m9s", "host: 1, last o1, back 1m9s", "web1: 1, last o1, stop 9s, back 2m9s", "main: 1"}},
		"the master's host fell":            {all("web1 commit", "web1 off", "host commit", "reboot", "ok", "web1 boot"), []string{"host: 0, last , back 0s", "web1: 1, last o1, back 0s", "main: 1"}},
		"the master crashed, all stay":      {all("restart", "1s", "web1 up", "web1 fail", "db1 up", "ok"), []string{"host: 1, last o1", "main: 1"}},
		"the master crashed, one was going": {all("web1 commit", "restart", "ok", "web1 up", "web1 ok", "24h", "web1 boot"), []string{"host: 1, last o1", "main: 1"}},
		"the master booted a day later":     {all("web1 commit", "2s", "web1 off", "ok", "reboot", "ok", "web1 boot"), []string{"db1: 1, last o1", "host: 1, last o1", "web1: 1, last o1, stop 2s", "main: 1"}},
		"the switch is on the mains":        {all("3s", "web1 lost", "1s", "db1 lost"), []string{"dark"}},
		"only one link breaks":              {all("3s", "web1 lost", "10s", "db1 lost"), nil},
		"the links break late":              {all("6s", "web1 lost", "db1 lost"), nil},
		"one went, one was lost":            {all("web1 commit", "web1 off", "db1 lost"), nil},
		"the switch was put on the UPS":     {all("3s", "web1 lost", "db1 lost", "ok", "web1 up", "db1 up", "fail o2", "11s"), []string{"host: 1, last o1", "main: 1"}},
		"and nobody knows yet":              {all("3s", "web1 lost", "db1 lost", "ok", "web1 up", "db1 up", "fail o2", "9s", "ok"), []string{"host: 1, last o1", "main: 2", "dark"}},
	} {
		t.Run(name, func(t *testing.T) {
			ta := newTale()
			ta.tell(c.story...)
			if d := cmp.Diff(c.want, ta.proved()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// oracle knows all that happens, seen or not.
type oracle struct {
	outage    string
	boots     map[string]string          // at the outage's begin, of who was attached
	committed map[string]map[string]bool // in which boots it committed, by node
	through   map[string]map[string]bool // which outages may be proved, by node
	returned  map[string]bool            // it booted after it had committed in an outage
}

func (o *oracle) tell(ta *tale, line string) {
	word, arg, _ := strings.Cut(line, " ")
	over := o.outage != "" && (word == "ok" || word == "fail")
	if word == "fail" {
		o.outage, o.boots = arg, map[string]string{}
	}
	for _, n := range ta.r.Nodes {
		if o.through[n.Name] == nil {
			o.through[n.Name], o.committed[n.Name] = map[string]bool{}, map[string]bool{}
		}
		if over && word == "ok" && n.Link == power.LinkUp && o.boots[n.Name] == n.Boot {
			o.through[n.Name][o.outage] = true
		}
		// Whoever attaches in the same moment is none the worse for it.
		if last := ta.p.last.Node(n.Name); word == "fail" && (n.Link == power.LinkUp || last != nil && last.Link == power.LinkUp) {
			o.boots[n.Name] = n.Boot
		}
		if word == n.Name && (arg == "commit" || arg == "done") && o.outage != "" {
			o.committed[n.Name][o.outage+" "+n.Boot] = true
		}
		if word == n.Name && arg == "boot" || n.Host && word == "reboot" {
			for what := range o.committed[n.Name] {
				id, boot, _ := strings.Cut(what, " ")
				if boot == n.Boot {
					o.through[n.Name][id], o.returned[n.Name] = true, true
				}
			}
		}
	}
	if word == "ok" {
		o.outage = ""
	}
}

// TestNothingFalseIsProved: whatever happens, and however much of it falls between
// two looks.
func TestNothingFalseIsProved(t *testing.T) {
	lines := []string{"ok", "fail", "low", "blind", "restart", "reboot", "1s", "2h"}
	for _, n := range []string{"web1", "db1"} {
		for _, w := range []string{"fail", "commit", "done", "ok", "lost", "off", "up", "boot"} {
			lines = append(lines, n+" "+w)
		}
	}
	lines = append(lines, "host fail", "host commit", "host done", "host ok")
	rapid.Check(t, func(t *rapid.T) {
		ta := newTale()
		o := &oracle{committed: map[string]map[string]bool{}, through: map[string]map[string]bool{}, returned: map[string]bool{}}
		var story []string
		for i := range rapid.IntRange(1, 60).Draw(t, "length") {
			line := rapid.SampledFrom(lines).Draw(t, "line")
			switch {
			case line == "fail" && o.outage == "":
				line = fmt.Sprintf("fail o%d", i)
			case line == "fail":
				continue // an OK ends each
			case line == "ok":
				ta.tell("0s") // it takes seconds to be believed
			case o.outage == "" && (line == "low" || strings.HasSuffix(line, " fail")):
				continue // a node is on battery only in an outage
			}
			o.tell(ta, line)
			if rapid.Bool().Draw(t, "unseen") {
				line = "~" + line
			}
			story = append(story, line)
			ta.tell(line)
			for name, proof := range ta.p.Nodes {
				if proof.Outages > 0 && !o.through[name][proof.Last] || proof.Outages > len(o.through[name]) {
					t.Fatalf("%s is said to be seen through %d outages, last %s: %q", name, proof.Outages, proof.Last, story)
				}
				if !proof.BackWall.IsZero() && !o.returned[name] {
					t.Fatalf("%s is said to have come back: %q", name, story)
				}
			}
		}
	})
}

func TestWhatWasNeverProvedIsFound(t *testing.T) {
	real := Facts{Name: "main", Real: true, Low: true, Kill: true}
	for name, c := range map[string]struct {
		ups    []Facts
		change func(*tale)
		want   string
		hook   bool
	}{
		"nothing was proved": {[]Facts{real}, nil, "ups/main never-low, ups/main kill-unproved, node/host unproved, node/host way-back-unproved, " +
			"node/web1 unproved, node/web1 way-back-unproved, node/db1 unproved, node/db1 way-back-unproved", false},
		"a cable that can do nothing": {[]Facts{{Name: "main", Real: true}}, func(ta *tale) { ta.r.Nodes = nil }, "", false},
		"a pretended UPS":             {[]Facts{{Name: "main", Low: true, Kill: true}}, func(ta *tale) { ta.r.Nodes = nil }, "", false},
		"all was proved": {[]Facts{real}, func(ta *tale) {
			ta.p.UPS["main"] = UPSProof{LowWall: ta.wall, KillWall: ta.wall}
			for _, n := range ta.r.Nodes {
				ta.p.Nodes[n.Name] = NodeProof{Outages: 1, BackWall: ta.wall}
			}
		}, "", false},
		"a dry run need not come back": {[]Facts{{Name: "main"}}, func(ta *tale) {
			ta.r.Nodes = ta.r.Nodes[1:2]
			ta.r.Nodes[0].Methods, ta.r.Nodes[0].Wake = []string{"none"}, nil
		}, "node/web1 unproved", false},
		"no way back": {[]Facts{{Name: "main", Real: true}}, func(ta *tale) {
			for i := range ta.r.Nodes {
				ta.r.Nodes[i].Methods = []string{"logind"}
			}
			ta.r.Nodes[0].Wake, ta.r.Nodes[2].Wake = []string{"cycle"}, []string{"cycle", "wol"}
		}, "node/host no-way-back, node/web1 no-way-back, node/host unproved, node/web1 unproved, node/db1 unproved, node/db1 way-back-unproved", false},
		"the cycle is a way where a cable cuts": {[]Facts{{Name: "main"}, {Name: "b", Kill: true}}, func(ta *tale) {
			for i := range ta.r.Nodes {
				ta.r.Nodes[i].Methods, ta.r.Nodes[i].Wake = []string{"logind"}, []string{"cycle"}
				ta.p.Nodes[ta.r.Nodes[i].Name] = NodeProof{Outages: 1, BackWall: ta.wall}
			}
			ta.r.Nodes[1].UPS = []string{"main", "b"}
			ta.r.Nodes[2].Foreign = true // who knows
		}, "node/host no-way-back", false},
		"a hook that nobody wrote": {[]Facts{{Name: "main", Kill: true}}, func(ta *tale) {
			ta.r.Nodes = ta.r.Nodes[1:2]
			ta.r.Nodes[0].Methods, ta.r.Nodes[0].Wake = []string{"logind"}, []string{"hook"}
		}, "node/web1 no-way-back, node/web1 unproved", false},
		"a hook": {[]Facts{{Name: "main"}}, func(ta *tale) {
			ta.r.Nodes = ta.r.Nodes[1:2]
			ta.r.Nodes[0].Methods, ta.r.Nodes[0].Wake = []string{"logind"}, []string{"hook"}
		}, "node/web1 unproved, node/web1 way-back-unproved", true},
		"a node that was never heard": {[]Facts{{Name: "main"}}, func(ta *tale) {
			ta.r.Nodes = []Node{{Name: "web1"}}
		}, "node/web1 unproved, node/web1 way-back-unproved", false},
		"the switch is on the mains": {nil, func(ta *tale) { ta.r.Nodes, ta.p.Dark = nil, &ta.wall }, "master/rack1 network-not-on-ups", false},
	} {
		t.Run(name, func(t *testing.T) {
			ta := newTale()
			if c.change != nil {
				c.change(ta)
			}
			var got []string
			for _, f := range append(NoWayBack(c.ups, c.hook, ta.r.Nodes), ta.p.Found("rack1", c.ups, c.hook, ta.r.Nodes)...) {
				got = append(got, f.On+" "+f.Name)
				if _, ok := health.Lookup(f.Name); !ok || f.Text == "" {
					t.Errorf("%v is no kind of problem, or says nothing", f)
				}
			}
			if d := cmp.Diff(c.want, strings.Join(got, ", ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
