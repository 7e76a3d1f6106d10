package master

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// tellRig is a teller on a hub, with what it told.
type tellRig struct {
	*teller
	now    *power.Uptime
	events []string
	told   []string
	own    []health.Problem
}

func newTellRig() *tellRig {
	h, now, _ := testHub()
	r := &tellRig{now: now}
	r.teller = &teller{
		name: "rack1", hub: h, now: func() power.Uptime { return *now },
		found: func() []health.Found { return append(h.found(), health.On("master/rack1", r.own)...) },
		event: func(on, kind, text string) { r.events = append(r.events, on+" "+kind+" "+text) },
		to: []func(notice){func(n notice) {
			r.told = append(r.told, strings.TrimSpace(fmt.Sprintf("%s %s %s", n.event, n.on, n.text)))
		}},
		ups: map[string]power.State{}, phases: map[string]upsv1.Phase{},
	}
	return r
}

// pass lets d go by, with a look whenever it asks for one.
func (r *tellRig) pass(d time.Duration) {
	for end := r.now.Add(d); ; {
		next := r.now.Add(max(lookPause, r.look()))
		if next.After(end) {
			*r.now = end
			return
		}
		*r.now = next
	}
}

func (r *tellRig) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, r.told); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
	r.told = nil
}

func (r *tellRig) ups(st power.State, problems ...health.Problem) {
	r.hub.setUPS(upsRecord{name: "main", state: st, problems: problems})
}

func TestTheRackIsToldOfThePower(t *testing.T) {
	r := newTellRig()
	r.pass(time.Minute)
	r.ups(power.State{Status: power.OK, Last: power.OK})
	r.pass(time.Minute)
	r.want(t, "OK from the start is no news")

	began := *r.now
	out := power.State{Status: power.Fail, Last: power.Fail, Outage: "o1", OutageSince: began}
	r.ups(out)
	r.pass(time.Minute)
	out.Status, out.Last = power.BatLow, power.BatLow
	r.ups(out)
	r.pass(time.Second)
	blind := out
	blind.Status, blind.Reason = power.Unknown, "unplugged"
	r.ups(blind)
	r.pass(time.Second)
	out.Status = power.Fail // low went
	r.ups(out)
	r.pass(time.Second)
	r.ups(power.State{Status: power.OK, Last: power.OK})
	r.pass(time.Second)
	r.want(t, "an outage",
		"fail ups/main the power failed, on battery", "batlow ups/main the battery is low",
		"ok ups/main the power is back, after 1m3s on battery")

	r.ups(power.State{Status: power.Fail, Last: power.Fail, Outage: "o2", OutageSince: *r.now, Sim: true})
	r.pass(time.Second)
	r.want(t, "a pretended one", "fail ups/main the power failed, on battery (pretended)")
}

func TestTheRackIsToldOfItsNodes(t *testing.T) {
	r := newTellRig()
	s := attached(r.hub, "web1", "b")
	r.pass(time.Second)
	for _, p := range []upsv1.Phase{
		upsv1.Phase_PHASE_GRACE, upsv1.Phase_PHASE_IDLE, upsv1.Phase_PHASE_HELD,
		upsv1.Phase_PHASE_GRACE, upsv1.Phase_PHASE_COMMITTED, upsv1.Phase_PHASE_DONE, upsv1.Phase_PHASE_IDLE,
	} {
		r.hub.report(s, &upsv1.NodeReport{Phase: p})
		r.pass(time.Second)
	}
	r.want(t, "the phases", "grace node/web1 counting down", "cancel node/web1 stays up",
		"grace node/web1 counting down", "commit node/web1 going down now")
}

func TestTheRackIsToldOfProblemsOnceTheyStay(t *testing.T) {
	r := newTellRig()
	blind := health.Problem{Name: health.Blind, Text: "unplugged"}
	r.ups(power.State{}, blind)
	r.pass(9 * time.Second)
	r.ups(power.State{Status: power.OK, Last: power.OK})
	r.pass(time.Minute)
	r.want(t, "blind at the start is no alarm")

	r.ups(power.State{Last: power.OK}, blind)
	r.own = []health.Problem{{Name: health.Hook, Text: "h"}}
	s := attached(r.hub, "web1", "b")
	r.hub.report(s, &upsv1.NodeReport{Problems: []*upsv1.Problem{{On: "node/web1", Name: health.Disk, Text: "full"}, {On: "node/web1", Name: health.Unproved}}})
	r.pass(11 * time.Second)
	now := *r.now
	entries := r.entries(r.found(), now)
	if i := slices.IndexFunc(entries, func(e health.Entry) bool { return e.Name == health.Blind }); i < 0 || now.Sub(entries[i].Since) != 11*time.Second {
		t.Errorf("blind since %v", entries)
	}
	r.ups(power.State{Status: power.OK, Last: power.OK})
	r.pass(time.Second)
	r.pass(24 * time.Hour)
	r.want(t, "problems", "problem master/rack1 hook: h", "problem node/web1 disk: full", "problem ups/main blind: unplugged",
		"clear ups/main blind", "problem master/rack1 hook, since 24h: h", "problem node/web1 disk, since 24h: full")
}

func TestANodeThatWentDownAsItShouldIsNotLostUntilThePowerIsBack(t *testing.T) {
	r := newTellRig()
	r.ups(power.State{Status: power.Fail, Last: power.Fail, Outage: "o"})
	s := attached(r.hub, "web1", "b")
	r.hub.report(s, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE})
	r.hub.detach(s, "cut")
	if got := r.hub.found(); len(got) != 0 {
		t.Errorf("on battery: %v", got)
	}
	r.ups(power.State{Status: power.OK, Last: power.OK})
	if got := r.hub.found(); len(got) != 1 || !strings.Contains(got[0].Text, "has not come back") {
		t.Errorf("power is back: %v", got)
	}
}

func TestMainsThatFlapAreAProblemForAnHour(t *testing.T) {
	var f flapping
	at := func(i int) power.Uptime { return power.Uptime(i) * power.Uptime(time.Minute) }
	for i := range flapMany {
		if f.many(at(i * 10)) {
			t.Fatalf("flapping after %d outages", i)
		}
		for range 3 { // the same outage, told again and again
			f.note(at(i*10), power.State{Outage: fmt.Sprint("o", i)})
		}
		f.note(at(i*10+1), power.State{})
	}
	if !f.many(at(41)) || f.many(at(60)) {
		t.Error("five outages in 40 minutes are not flapping, or for ever")
	}
}

func TestACableThatCannotTellAPulledPlugIsAWeakness(t *testing.T) {
	mute := 0
	for _, c := range line.Catalogue() {
		u := upsRunner{mute: c.PulledAtComputer().Silent(), q: power.NewQualifier(power.QualifierConfig{}), now: func() power.Uptime { return 0 }}
		ps := u.problems(power.State{Status: power.OK})
		if u.mute {
			mute++
		}
		if has := slices.ContainsFunc(ps, func(p health.Problem) bool { return p.Name == health.CableMute }); has != u.mute {
			t.Errorf("%s: %v", c.Name, ps)
		}
	}
	if mute == 0 || mute == len(line.Catalogue()) {
		t.Errorf("%d of %d cables are mute", mute, len(line.Catalogue()))
	}
}
