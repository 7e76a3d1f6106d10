package line

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wires returns what a UPS on this cable makes of the inputs: the terms that hold,
// and nothing at all where the contacts have no supply.
func wires(c Cable, outputs Lines, battery, low bool) Lines {
	if !c.FedBy(outputs) {
		return outputs
	}
	in := outputs
	for _, s := range []struct {
		term Term
		on   bool
	}{{c.OnBattery, battery}, {c.LowBattery, low}, {c.Present, true}, {c.Replace, false}, {c.Bypass, false}} {
		if s.term.Wired() && s.on != s.term.Low {
			in |= s.term.Line
		}
	}
	return in
}

// played is what came of finding out one cable.
type played struct {
	seen  []Observation
	pulls int  // of the plug
	risky bool // it was pulled with the cable's own kill on the outputs
}

// play does what an owner does who doesn't know the cable.
func play(c Cable, sayLow bool) (p played) {
	for {
		step, more := Next(Catalogue(), p.seen)
		if !more {
			break
		}
		p.seen = append(p.seen, Observation{AtRest, wires(c, step.Levels, false, false)})
		if step.Pull {
			p.seen = append(p.seen, Observation{MainsOut, wires(c, step.Levels, true, false)})
			p.pulls++
			p.risky = p.risky || c.KilledBy(step.Levels)
		}
	}
	if _, out := Moved(p.seen, MainsOut); sayLow && c.HasLow() {
		p.seen = append(p.seen, Observation{BatteryLow, wires(c, out, true, true)})
	}
	return p
}

// TestIdentifyEveryCable: whatever known cable is plugged in, watching finds it, and
// few others with it.
func TestIdentifyEveryCable(t *testing.T) {
	t.Parallel()
	for _, sayLow := range []bool{true, false} {
		all := Catalogue()
		candidates, best, readings, pulls := 0, 0, 0, 0
		var risky []string
		for _, c := range all {
			p := play(c, sayLow)
			js := Identify(all, p.seen)
			i := slices.IndexFunc(js, func(j Judgement) bool { return j.Cable.Name == c.Name })
			if js[i].Verdict != Fits {
				t.Errorf("%s, low %v: %+v\nseen %v", c.Name, sayLow, js[i], p.seen)
				continue
			}
			if js[i].Score < js[0].Score {
				t.Errorf("%s fits less well (%d, %q) than %s (%d, %q)", c.Name, js[i].Score, js[i].Why, js[0].Cable.Name, js[0].Score, js[0].Why)
			}
			if pulls += p.pulls; p.risky {
				risky = append(risky, c.Name)
			}
			var kinds []Cable
			for _, j := range js {
				if j.Verdict != Fits {
					break
				}
				candidates++
				if j.Score == js[0].Score {
					best++
				}
				if !slices.ContainsFunc(kinds, j.Cable.ReadsAs) {
					kinds = append(kinds, j.Cable)
				}
			}
			readings += len(kinds)
		}
		n := float64(len(all))
		t.Logf("low battery shown: %v. Of %d cables %.1f fit on average, %.1f of them best; they read in %.1f ways; the plug was pulled %.1f times, at their own kill on %v",
			sayLow, len(all), float64(candidates)/n, float64(best)/n, float64(readings)/n, float64(pulls)/n, risky)
		if most := 10.0; float64(candidates)/n > most {
			t.Errorf("%.1f candidates on average: watching says too little", float64(candidates)/n)
		}
		if diff := cmp.Diff([]string{"nut-0", "nut-12"}, risky); diff != "" {
			t.Errorf("cables whose plug is pulled at their own kill (-want +got):\n%s", diff)
		}
	}
}

// TestJudge is what each kind of observation does to a cable, with the reason given.
func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, cable string
		seen        []Observation
		want        Verdict
		unfed       bool
		why         string // a part of it
	}{
		{"nothing was looked at", "liebert-powersure", nil, Open, true, "not seen yet: its contacts get no current before DTR is high"},
		{"at rest, supplied", "liebert-powersure", []Observation{{AtRest, DTR | DCD}}, Open, false, ""},
		{"at rest it would be on battery", "nut-6", []Observation{{AtRest, DTR | DCD}}, RuledOut, false, "on mains it would say on battery (CTS low)"},
		{"at rest without its supply", "nut-6", []Observation{{AtRest, 0}, {MainsOut, 0}}, Open, true, "before DTR is high"},
		{"the line rose", "liebert-powersure", []Observation{{AtRest, DTR | DCD}, {MainsOut, DTR | DCD | CTS}}, Fits, false, "CTS high is on battery"},
		{"nothing moved", "liebert-powersure", []Observation{{AtRest, DTR | DCD}, {MainsOut, DTR | DCD}}, RuledOut, false, "CTS stayed low, so it would say on mains"},
		{"a line moved without its supply", "nut-11", []Observation{{AtRest, DCD}, {MainsOut, DCD | CTS}}, Fits, true, "it wants DTR high, and a line moved without"},
		{"another line moved too", "powerd", []Observation{{AtRest, DTR | DCD}, {MainsOut, DTR | RI}}, Fits, false, "RI moved too, which it does not use"},
		{"low at once", "nut-7", []Observation{{AtRest, RTS | CTS | DCD}, {MainsOut, RTS}}, Fits, false, "it would say low battery at once"},
		{"low is said", "nut-7", []Observation{{AtRest, RTS | CTS | DCD}, {MainsOut, RTS | DCD}, {BatteryLow, RTS}}, Fits, false, "DCD low is low battery"},
		{"low by a test button, on mains", "nut-7", []Observation{{AtRest, RTS | CTS | DCD}, {BatteryLow, RTS | CTS}}, Fits, false, "DCD low is low battery"},
		{"low is not said", "nut-7", []Observation{{AtRest, RTS | CTS | DCD}, {MainsOut, RTS | DCD}, {BatteryLow, RTS | DCD | RI}}, RuledOut, false, "DCD stayed high, so it would never say low"},
		{"low on a cable without", "powerd", []Observation{{AtRest, DTR | DCD | CTS}, {MainsOut, DTR | CTS}, {BatteryLow, DTR}}, Fits, false, "it can't say low battery at all"},
		{"worn battery", "nut-7", []Observation{{AtRest, RTS | CTS}, {MainsOut, RTS}}, Fits, false, "on mains it says low battery"},
		{"no plug", "genpower-powerd", []Observation{{AtRest, RTS | DCD}}, RuledOut, false, "on mains it would say: no plug"},
		{"no plug any more", "genpower-powerd", []Observation{{AtRest, RTS | DCD | DSR}, {MainsOut, RTS}}, RuledOut, false, "it would say: no plug"},
		{"out of the UPS as it should be", "powerd", []Observation{{AtRest, DTR | DCD}, {CableOutAtUPS, DTR | DCD}, {MainsOut, DTR}}, Fits, false, "DCD low is on battery"},
		{"out of the UPS otherwise", "powerd", []Observation{{AtRest, DTR | DCD}, {CableOutAtUPS, DTR}, {MainsOut, DTR}}, Fits, false, "out of the UPS it should read DCD"},
		{"anything, which it explains", "nut-2", []Observation{{AtRest, RTS}, {Anything, RTS | CTS}}, Fits, false, "CTS high is on battery"},
		{"anything, low alone", "nut-2", []Observation{{AtRest, RTS}, {Anything, RTS | DCD}}, Fits, false, "DCD high is low battery"},
		{"anything else", "nut-2", []Observation{{AtRest, RTS}, {Anything, RTS | RI}}, RuledOut, false, "CTS stayed low"},
		{"what one pair of outputs said is not lost in the next", "nut-9", []Observation{{AtRest, 0}, {MainsOut, 0}, {AtRest, DTR}, {MainsOut, DTR | DCD}}, RuledOut, false, "DCD stayed low"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, ok := Lookup(tt.cable)
			if !ok {
				t.Fatal("no such cable")
			}
			j := Judge(c, tt.seen)
			if why := strings.Join(j.Why, "; "); j.Verdict != tt.want || j.Unfed != tt.unfed || !strings.Contains(why, tt.why) {
				t.Errorf("verdict %d, unfed %v, %q; want %d, %v, %q", j.Verdict, j.Unfed, why, tt.want, tt.unfed, tt.why)
			}
		})
	}
}

// TestLaw04Next: on mains first, the output levels that hurt the fewest known cables
// first, and each step names those that it would hurt.
func TestLaw04Next(t *testing.T) {
	t.Parallel()
	all := Catalogue()
	var seen []Observation
	var got []string
	for {
		s, more := Next(all, seen)
		if !more {
			break
		}
		got = append(got, fmt.Sprintf("%v pull %v reads %d kills %d", s.Levels, s.Pull, len(s.Reads), len(s.Kills)))
		for _, c := range s.Kills {
			if !met(c.Kill.Set, s.Levels) {
				t.Errorf("%v does not kill %s", s.Levels, c.Name)
			}
		}
		seen = append(seen, Observation{AtRest, s.Levels}) // nothing ever moves: no UPS there
		if s.Pull {
			seen = append(seen, Observation{MainsOut, s.Levels})
		}
	}
	want := []string{
		"none pull false reads 9 kills 2", "DTR pull false reads 29 kills 5", "RTS pull false reads 23 kills 5",
		"none pull true reads 6 kills 0", "DTR pull true reads 8 kills 1", "RTS pull true reads 5 kills 1", "DTR RTS pull true reads 3 kills 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for _, c := range all {
		if c.KilledBy(c.Idle()) {
			t.Errorf("%s: its own idle levels kill", c.Name)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		letters string
		want    string
	}{
		{"nut-7", "nut-7"},
		{" nut-22 ", "nut-7"},
		{"LIEBERT", "liebert-powersure"},
		{"cyber sl", "nut-7 genpower-cyber-sl"},
		{"", ""},
		{"no such thing", ""},
	} {
		var names []string
		for _, c := range Find(tt.letters) {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("Find(%q) = %s, want %s", tt.letters, got, tt.want)
		}
	}
}

func TestMoved(t *testing.T) {
	t.Parallel()
	seen := []Observation{{AtRest, 0}, {MainsOut, 0}, {AtRest, DTR | DCD}, {MainsOut, DTR | CTS}, {BatteryLow, DTR | CTS}}
	terms, outputs := Moved(seen, MainsOut)
	if diff := cmp.Diff([]Term{{Line: CTS}, {Line: DCD, Low: true}}, terms); diff != "" || outputs != DTR {
		t.Errorf("outputs %v, moved (-want +got):\n%s", outputs, diff)
	}
	if terms, _ := Moved(seen, CableOutAtUPS); terms != nil {
		t.Errorf("%v moved in a situation that never was", terms)
	}
}
