package cut_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// begins is how the kill of a cable begins.
func begins(c line.Cable) cut.Action {
	switch k := c.Kill; {
	case k.Break > 0:
		return cut.Action{Do: cut.Break, Levels: c.Asserted()}
	case len(k.Send) > 0:
		return cut.Action{Do: cut.Send, Levels: c.Asserted(), Data: k.Send}
	}
	return cut.Action{Do: cut.Assert, Levels: c.Asserted()}
}

// length is how long it lasts: 250 ms more than the UPS wants, which it may take to
// reach the wire.
func length(c line.Cable) time.Duration {
	return c.Kill.Hold + c.Kill.Break + 250*time.Millisecond
}

func same(t *testing.T, got, want []deed) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(cut.Action{}, "Why")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestLaw04EveryCableKills plays each cable that can cut the load: on battery all the
// time, on mains all the time, and mains that come back at each turn.
func TestLaw04EveryCableKills(t *testing.T) {
	for _, c := range killers(t) {
		t.Run(c.Name, func(t *testing.T) {
			first, freed := begins(c), cut.Action{Do: cut.Release, Levels: c.Idle()}
			reboot := cut.Action{Do: cut.Reboot}
			end := at(10).Add(length(c))
			over := end.Add(c.Kill.Delay)

			t.Run("battery", func(t *testing.T) {
				w := one(t, c, never)
				same(t, w.play(over.Add(length(c)+time.Second)), []deed{
					{at(10), first}, {end, freed}, {over, first}, {over.Add(length(c)), freed},
				})
			})
			t.Run("mains", func(t *testing.T) {
				same(t, one(t, c, always).play(at(900)), []deed{{at(2), reboot}})
			})
			t.Run("back before the kill", func(t *testing.T) {
				same(t, one(t, c, from(9.99)).play(at(900)), []deed{{at(12), reboot}})
			})
			t.Run("back at its end", func(t *testing.T) {
				w := one(t, c, func(now power.Uptime) bool { return !now.Before(end) })
				same(t, w.play(at(900)), []deed{{at(10), first}, {end, freed}, {over, reboot}})
			})
			t.Run("back at its begin", func(t *testing.T) {
				got := one(t, c, from(10.01)).play(at(900))
				freedAt := end // where it can't be seen, it is held to its end
				if c.ReadsInKill() {
					freedAt = min(end, at(12.05))
				}
				same(t, got, []deed{{at(10), first}, {freedAt, freed}, {freedAt.Add(c.Kill.Delay), reboot}})
			})
			t.Run("back after its delay", func(t *testing.T) {
				again := over.Add(length(c))
				w := one(t, c, func(now power.Uptime) bool { return !now.Before(again.Add(time.Second)) })
				same(t, w.play(at(2000)), []deed{
					{at(10), first}, {end, freed}, {over, first}, {again, freed}, {again.Add(c.Kill.Delay), reboot},
				})
			})
		})
	}
}

// TestTwelveRowsCantBeReadInTheKill holds the table of docs/cables: there the kill
// drops an output that was held high.
func TestTwelveRowsCantBeReadInTheKill(t *testing.T) {
	blind := 0
	for _, c := range killers(t) {
		if !c.ReadsInKill() {
			blind += 1 + len(c.Aliases)
		}
		idle, kill := c.Idle(), c.Asserted()
		if len(c.Kill.Set) > 0 && idle == kill || len(c.Kill.Set) == 0 && idle != kill {
			t.Errorf("%s: idle %s, kill %s", c.Name, idle, kill)
		}
	}
	if blind < 12 {
		t.Errorf("%d names, want the 12 rows", blind)
	}
}

// TestLaw07WithoutAKill: a cable that can't cut waits for the mains and reboots.
func TestLaw07WithoutAKill(t *testing.T) {
	for _, c := range line.Catalogue() {
		if c.Kill.Exists() {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			same(t, one(t, c, from(700)).play(at(900)), []deed{{at(702), cut.Action{Do: cut.Reboot}}})
		})
	}
}

// TestFlapping is the 940-0128A: during the kill its UPS flaps between battery and
// line four times a second. That is no mains.
func TestFlapping(t *testing.T) {
	c := cable(t, "apc-940-0128a")
	flap := func(now power.Uptime) bool { return time.Duration(now)%(250*time.Millisecond) < 125*time.Millisecond }
	t.Run("during the kill", func(t *testing.T) {
		w := one(t, c, func(now power.Uptime) bool { return now.After(at(10)) && now.Before(at(20)) && flap(now) })
		same(t, w.play(at(100)), []deed{
			{at(10), begins(c)}, {at(20.25), cut.Action{Do: cut.Release, Levels: c.Idle()}},
		})
	})
	t.Run("all the time", func(t *testing.T) {
		got := one(t, c, flap).play(at(100))
		if len(got) == 0 || got[0].Do != cut.Assert || got[0].At.Before(at(10)) || got[0].At.After(at(11)) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a glitch to battery on mains", func(t *testing.T) {
		w := one(t, c, func(now power.Uptime) bool { return now.Before(at(10.5)) || now.After(at(10.7)) })
		w.seal.UPS[0].NotBefore = at(11)
		w.ups[0].mainsAt = func(now power.Uptime) bool { // steady for less than 2 s, over and over
			return time.Duration(now)%(1900*time.Millisecond) > 250*time.Millisecond
		}
		for _, d := range w.play(at(9)) {
			t.Errorf("%v", d)
		}
	})
}

// TestAPortThatIsLost comes back at its idle levels: the kill is begun anew.
func TestAPortThatIsLost(t *testing.T) {
	c := cable(t, "nut-7")
	w := one(t, c, never)
	w.ups[0].portLost = func(now power.Uptime) bool { return !now.Before(at(12)) && now.Before(at(14)) }
	got := w.play(at(30))
	if len(got) != 3 || got[0].At != at(10) || got[1].Do != cut.Assert || got[1].At.Before(at(14.3)) || got[2].At.Sub(got[1].At) != length(c) {
		t.Errorf("got %v", got)
	}
}

// TestLaw07BlindForEver: nobody sees the UPS; nothing is cut, and the machine is up
// again in the end.
func TestLaw07BlindForEver(t *testing.T) {
	w := one(t, cable(t, "nut-7"), never)
	w.ups[0].portLost = always
	same(t, w.play(at(9000)), []deed{{at(3600), cut.Action{Do: cut.Reboot}}})
}

// TestLaw07OnBatteryForEver: a cable that was pulled out says battery as long as it likes.
// When no battery can have lasted so long the machine is up again; before, and while the
// UPS may yet obey, it is not.
func TestLaw07OnBatteryForEver(t *testing.T) {
	kills, waits := cable(t, "nut-7"), cable(t, "nut-8")
	obeyed := at(10)
	for obeyed.Before(at(5000)) {
		obeyed = obeyed.Add(length(kills) + kills.Kill.Delay)
	}
	for _, c := range []struct {
		name  string
		cable line.Cable
		empty power.Uptime
		want  power.Uptime // the reboot; 0: none by 9000 s
	}{
		{"without a kill", waits, at(5000), at(5000)},
		{"with one, which it may yet obey", kills, at(5000), obeyed},
		{"nobody knows how long it lasts", waits, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := one(t, c.cable, never)
			w.seal.UPS[0].EmptyBy = c.empty
			got := w.play(at(9000))
			last := deed{}
			if len(got) > 0 && got[len(got)-1].Do == cut.Reboot {
				last = got[len(got)-1]
			}
			if last.At != c.want {
				t.Errorf("up again at %v, want %v", time.Duration(last.At), time.Duration(c.want))
			}
		})
	}
	t.Run("it lives on another one too", func(t *testing.T) {
		w := two(t, never, never)
		w.seal.UPS[1].Own = true
		w.seal.UPS[0].EmptyBy, w.seal.UPS[1].EmptyBy = at(3600), at(7000)
		for _, d := range w.play(at(9000)) {
			if d.Do == cut.Reboot && d.At.Before(at(7000)) {
				t.Errorf("got %v", d)
			}
		}
		if last := w.told[len(w.told)-1]; last.Do != cut.Reboot {
			t.Errorf("got %v", last)
		}
	})
	t.Run("the other one can't be seen", func(t *testing.T) {
		w := two(t, never, never)
		w.seal.UPS[1].Own, w.ups[1].portLost = true, always
		w.seal.UPS[0].EmptyBy, w.seal.UPS[1].EmptyBy = at(4000), at(90000)
		if last := w.play(at(9000)); last[len(last)-1].Do != cut.Reboot || last[len(last)-1].At.After(at(4200)) {
			t.Errorf("got %v", last)
		}
	})
}

// two is the machine's own UPS and another one.
func two(t testing.TB, ownMains, otherMains func(power.Uptime) bool) *world {
	w := one(t, cable(t, "nut-7"), ownMains)
	other := cable(t, "apc-back-ups")
	w.ups = append(w.ups, &fakeUPS{cable: other, mainsAt: otherMains})
	w.seal.UPS = append(w.seal.UPS, cut.Sealed{Name: "side", Outage: "o2", Port: "/dev/ttyS1", Cable: other, NotBefore: at(30)})
	return w
}

func TestTheOwnUPSComesLast(t *testing.T) {
	side, main := cable(t, "apc-back-ups"), cable(t, "nut-7")
	kill := func(i int, c line.Cable) cut.Action { a := begins(c); a.UPS = i; return a }
	free := func(i int, c line.Cable) cut.Action {
		return cut.Action{Do: cut.Release, UPS: i, Levels: c.Idle()}
	}
	lost := func(w *world) *world { w.ups[1].portLost = always; return w }
	for _, c := range []struct {
		name string
		w    *world
		to   float64
		want []deed
	}{
		{"both on battery", two(t, never, never), 40, []deed{
			{at(30), kill(1, side)}, {at(31.25), free(1, side)}, {at(31.25), kill(0, main)}, {at(36.5), free(0, main)}}},
		{"the other on mains", two(t, never, always), 20, []deed{{at(10), kill(0, main)}, {at(15.25), free(0, main)}}},
		{"the own on mains", two(t, always, never), 90, []deed{
			{at(30), kill(1, side)}, {at(31.25), free(1, side)}, {at(31.25), cut.Action{Do: cut.Reboot}}}},
		{"both on mains", two(t, always, always), 90, []deed{{at(2), cut.Action{Do: cut.Reboot}}}},
		{"the other can't be seen", lost(two(t, never, never)), 50, []deed{{at(40), kill(0, main)}, {at(45.25), free(0, main)}}},
	} {
		t.Run(c.name, func(t *testing.T) { same(t, c.w.play(at(c.to)), c.want) })
	}
	t.Run("none is its own", func(t *testing.T) {
		w := two(t, always, never)
		w.seal.UPS[0].Own = false
		same(t, w.play(at(90)), []deed{{at(30), kill(1, side)}, {at(31.25), free(1, side)}, {at(31.25), cut.Action{Do: cut.Halt}}})
	})
}

// TestWithinItsTime is the second try, which gets 80 s.
func TestWithinItsTime(t *testing.T) {
	c := cable(t, "nut-7")
	for _, x := range []struct {
		name  string
		mains func(power.Uptime) bool
		end   float64
		want  cut.Kind
	}{
		{"too early to cut", never, 8, cut.Halt},
		{"in the kill", never, 12, cut.Halt},
		{"on mains", from(9), 10, cut.Halt}, // not steady yet
		{"steady mains", from(9), 40, cut.Reboot},
		{"mains after the kill, which it may yet obey", from(13), 40, cut.Halt},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := one(t, c, x.mains)
			w.c = cut.New(w.seal, at(x.end))
			w.ups[0].out = c.Idle()
			got := w.play(at(100))
			if last := got[len(got)-1]; last.Do != x.want || last.At.After(at(x.end)) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestLaw07EveryStoryEnds plays mains that come and go at random: nothing is begun on
// mains or too early (play holds that), and when they stay, the machine comes up.
func TestLaw07EveryStoryEnds(t *testing.T) {
	cables := line.Catalogue()
	rapid.Check(t, func(r *rapid.T) {
		story := func(name string) func(power.Uptime) bool {
			turns := rapid.SliceOfN(rapid.IntRange(0, 300_000), 0, 9).Draw(r, name) // ms
			slices.Sort(turns)
			on := rapid.Bool().Draw(r, name+" begins on mains")
			return func(now power.Uptime) bool {
				if now.After(at(300)) {
					return true
				}
				passed, _ := slices.BinarySearch(turns, int(time.Duration(now)/time.Millisecond))
				return on != (passed%2 == 1)
			}
		}
		w := &world{t: r, seal: cut.Seal{Boot: "b", Expires: at(9999)}}
		own := false
		for _, name := range []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(r, "UPSes")] {
			c := rapid.SampledFrom(cables).Draw(r, "cable of "+name)
			u := cut.Sealed{Name: name, Cable: c, NotBefore: at(float64(rapid.IntRange(0, 200).Draw(r, "not before"))), Own: rapid.Bool().Draw(r, "own")}
			own = own || u.Own
			w.ups = append(w.ups, &fakeUPS{cable: c, mainsAt: story(name)})
			w.seal.UPS = append(w.seal.UPS, u)
		}
		got := w.play(at(2000))
		want := cut.Halt
		if own {
			want = cut.Reboot
		}
		// Back at 300 s at the latest, then the longest hold, its delay, and some more.
		if len(got) == 0 || got[len(got)-1].Do != want || got[len(got)-1].At.After(at(300+75+120+120+20)) {
			r.Fatalf("got %v, want a %v at the end", got, want)
		}
	})
}
