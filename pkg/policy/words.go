package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// noteProblems finds what weakens the protection now.
func (m *Machine) noteProblems() {
	s := m.power.State
	m.set(health.LinkLost, !m.inContact(), "no contact with the master: look at the network and at the master's host")
	reason := s.Reason
	if reason == "" {
		reason = "no reason given"
	}
	blind := m.inContact() && m.power.Link != power.LinkNone && s.Status == power.Unknown && !m.ignored
	m.set(health.Blind, blind, "nobody can see the UPS ("+reason+"): look at its cable and port")
	m.set(health.SimIgnored, m.shown.State.Sim && !m.cfg.ObeySim,
		"this node's feed is a sim port, which it does not obey: connect a UPS, or set obey_sim")
	if m.sees() {
		m.set(health.WeakBattery, s.WeakBattery, "the UPS says on mains that its battery is low or worn: replace it")
		m.set(health.NoLowLine, m.cfg.GraceBatLow && !s.HasLow, "grace is \"batlow\", but this UPS's cable can't say "+
			"that the battery is low: set a time; "+words(m.cfg.Grace)+" is used")
		m.set(health.GraceOutlivesBat, s.Runtime > 0 && m.needs(s) > s.Runtime, "grace and stop time need "+words(m.needs(s))+
			" with a margin, and the battery lasts "+words(s.Runtime)+" when full: this machine goes sooner than its grace says; set a shorter one")
	}
}

// set raises or clears a problem, if that is news.
func (m *Machine) set(name string, on bool, text string) {
	old, was := m.problems[name]
	p := health.Problem{Name: name, Text: text}
	switch {
	case on && old != p:
		m.problems[name] = p
		m.do(Raise{p})
	case !on && was:
		delete(m.problems, name)
		m.do(Clear{name})
	}
}

// impossible tells that something happened that can't: a fault of this program.
func (m *Machine) impossible(what string) {
	m.set(health.Internal, true, "a fault in lastwatt, please report it: "+what)
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// hook runs the hooks of what happens to the power; not in a system that is going
// down already, whose hooks ran at the commit.
func (m *Machine) hook(e Event) {
	if m.phase != Done || m.cfg.NeverGoes {
		m.do(Hooks{e})
	}
}

func (m *Machine) say(text string) { m.do(Say{Text: text}) }

// why says in words what makes this node go.
func (m *Machine) why() string {
	switch {
	case m.endStands():
		return "the master's host is about to go"
	case m.outage && m.low:
		return "the battery is low"
	case m.outage && m.silent.Set && (m.holdStands() || m.outageGoes() != m.deadline):
		return "on battery and nothing more is heard"
	case m.outage:
		return "on battery"
	default:
		return "nothing was heard of the power for " + words(m.cfg.BlindLimit)
	}
}

// announce tells when this node goes and prepares the next time that it tells.
func (m *Machine) announce(why string) {
	d := m.goes()
	m.said, m.nextSay, m.began = d, 0, false
	if !d.Set {
		m.say(why + ": this machine goes down when the battery is low, unless power returns")
		return
	}
	left := d.At.Sub(m.now)
	if left <= 0 {
		return // the commit says it
	}
	m.do(Say{
		Text: why + ": this machine goes down in " + words(left) + " unless power returns",
		Left: left, Timed: true,
	})
	for _, t := range []time.Duration{10 * time.Minute, 5 * time.Minute, 2 * time.Minute, time.Minute} {
		if t < left {
			m.nextSay = t
			return
		}
	}
}

// countDown tells when the deadline has changed or is near.
func (m *Machine) countDown() {
	d := m.goes()
	if d != m.said || m.began || m.nextSay > 0 && !m.now.Before(d.At.Add(-m.nextSay)) {
		m.announce(m.why())
	}
}

// words writes a duration for people, to the second: "5m", "1h30m", "4m59s".
func words(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Equal reports whether a says the same as b.
func (a Awaited) Equal(b Awaited) bool {
	return slices.Equal(a.Up, b.Up) && a.More == b.More && a.Limit == b.Limit && a.Open == b.Open && a.Depth == b.Depth
}

// String names them, for people.
func (a Awaited) String() string {
	who := strings.Join(a.Up, ", ")
	if a.More > 0 {
		who += " and " + strconv.Itoa(a.More) + " more"
	}
	return who
}
