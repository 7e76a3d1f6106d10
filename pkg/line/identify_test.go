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

// story plays what an owner does who doesn't know the cable: at the levels that are
// offered, one after the other until a line moves, the plug is pulled and the battery
// goes low.
func story(c Cable, sayLow bool) (seen []Observation, tried []Lines) {
	all := Catalogue()
	for {
		open := notRuledOut(Identify(all, seen))
		offers := Offers(open, open, tried...)
		if len(offers) == 0 {
			return seen, tried
		}
		out := offers[0].Levels
		tried = append(tried, out)
		seen = append(seen, Observation{AtRest, wires(c, out, false, false)}, Observation{MainsOut, wires(c, out, true, false)})
		if terms, _ := Moved(seen, MainsOut); len(terms) > 0 {
			if sayLow && c.HasLow() {
				seen = append(seen, Observation{BatteryLow, wires(c, out, true, true)})
			}
			return seen, tried
		}
	}
}

func notRuledOut(js []Judgement) (open []Cable) {
	for _, j := range js {
		if j.Verdict != RuledOut {
			open = append(open, j.Cable)
		}
	}
	return open
}

// TestIdentifyEveryCable: whatever known cable is plugged in, watching finds it, and
// few others with it.
func TestIdentifyEveryCable(t *testing.T) {
	t.Parallel()
	for _, sayLow := range []bool{true, false} {
		all := Catalogue()
		candidates, best, readings, pulls := 0, 0, 0, 0
		for _, c := range all {
			seen, tried := story(c, sayLow)
			js := Identify(all, seen)
			i := slices.IndexFunc(js, func(j Judgement) bool { return j.Cable.Name == c.Name })
			if js[i].Verdict != Fits {
				t.Errorf("%s, low %v: %+v\nseen %v", c.Name, sayLow, js[i], seen)
				continue
			}
			if js[i].Score < js[0].Score {
				t.Errorf("%s fits less well (%d, %q) than %s (%d, %q)", c.Name, js[i].Score, js[i].Why, js[0].Cable.Name, js[0].Score, js[0].Why)
			}
			pulls += len(tried)
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
		t.Logf("low battery shown: %v. Of %d cables %.1f fit on average, %.1f of them best; they read in %.1f ways; the plug was pulled %.1f times",
			sayLow, len(all), float64(candidates)/n, float64(best)/n, float64(readings)/n, float64(pulls)/n)
		if most := 10.0; float64(candidates)/n > most {
			t.Errorf("%.1f candidates on average: watching says too little", float64(candidates)/n)
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

// TestLaw04Offers: what the wizard drives first hurts the fewest known cables, it
// says which, and no level that was tried or reads nothing is offered.
func TestLaw04Offers(t *testing.T) {
	t.Parallel()
	all := Catalogue()
	var got []string
	for _, o := range Offers(all, all) {
		got = append(got, fmt.Sprintf("%v reads %d, kills %d", o.Levels, len(o.Reads), len(o.Kills)))
		for _, c := range all {
			kills := slices.ContainsFunc(o.Kills, func(k Cable) bool { return k.Name == c.Name })
			if kills != (len(c.Kill.Set) > 0 && met(c.Kill.Set, o.Levels)) {
				t.Errorf("%v: kills %s: %v", o.Levels, c.Name, kills)
			}
		}
	}
	want := []string{"none reads 9, kills 2", "DTR reads 32, kills 6", "RTS reads 26, kills 9", "DTR RTS reads 52, kills 22"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
	liebert, _ := Lookup("liebert-powersure")
	for _, o := range Offers([]Cable{liebert}, all, DTR) {
		if o.Levels != DTR|RTS {
			t.Errorf("offered %v: tried, or it reads nothing", o.Levels)
		}
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
