package main

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// counting is a picture of one node that counts down in one outage.
func counting(phase, outage string, deadline time.Duration) picture {
	s := deadline.Seconds()
	return picture{
		Masters: []masterPicture{{Name: "rack1", UPS: []upsPicture{{Name: "main", State: "FAIL", Outage: outage}}}},
		Nodes:   []nodePicture{{Name: "web1", Phase: phase, Deadline: &s, Feeds: []string{"rack1/main"}}},
	}
}

func TestCountdownsDontJump(t *testing.T) {
	type step struct {
		at, said time.Duration // an answer; said < 0: none
		want     time.Duration
	}
	const ms, s, none = time.Millisecond, time.Second, -1
	for _, tt := range []struct {
		name  string
		phase string
		steps []step
	}{
		{"goes by the second without answers", "GRACE", []step{{0, 10 * s, 10 * s}, {s, none, 9 * s}, {2 * s, none, 8 * s}, {9 * s, none, s}, {10 * s, none, 0}, {99 * s, none, 0}}},
		{"changes at whole seconds only", "GRACE", []step{{0, 10*s + 300*ms, 10 * s}, {999 * ms, none, 10 * s}, {s, none, 9 * s}, {s + 999*ms, none, 9 * s}, {2 * s, none, 8 * s}}},
		{"a late answer moves nothing", "GRACE", []step{{0, 10 * s, 10 * s}, {s, 9*s + 900*ms, 9 * s}, {2 * s, 8*s + 999*ms, 8 * s}}},
		{"an early answer moves nothing", "GRACE", []step{{0, 10 * s, 10 * s}, {s, 8*s + 100*ms, 9 * s}, {2 * s, 7*s + 1*ms, 8 * s}}},
		{"an earlier deadline is taken", "GRACE", []step{{0, 300 * s, 300 * s}, {s, 20 * s, 20 * s}, {2 * s, 19 * s, 19 * s}}},
		{"by a second is earlier", "GRACE", []step{{0, 10 * s, 10 * s}, {s, 8 * s, 8 * s}}},
		{"a later one never, in an outage", "GRACE", []step{{0, 10 * s, 10 * s}, {s, 30 * s, 9 * s}, {2 * s, 300 * s, 8 * s}}},
		{"a longer hold is longer", "HELD", []step{{0, 10 * s, 10 * s}, {s, 1800 * s, 1800 * s}, {2 * s, 1799 * s, 1799 * s}}},
		{"a hold's jitter moves nothing", "HELD", []step{{0, 10 * s, 10 * s}, {s, 9*s + 900*ms, 9 * s}}},
		{"who waits can get more time", "WAITING", []step{{0, 10 * s, 10 * s}, {s, 20 * s, 20 * s}}},
		{"small errors add up to nothing", "GRACE", []step{{0, 10 * s, 10 * s}, {s, 9*s + 600*ms, 9 * s}, {2 * s, 9 * s, 8 * s}, {3 * s, 8*s + 500*ms, 7 * s}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var times steady
			var p picture
			for _, st := range tt.steps {
				if st.said >= 0 {
					p = counting(tt.phase, "b-1", st.said)
					times.take(st.at, p)
				}
				if got := toDuration(*times.show(st.at, st.at, p).Nodes[0].Deadline); got != st.want {
					t.Errorf("after %s: %s, want %s", st.at, got, st.want)
				}
			}
		})
	}
}

// TestANewOutageHasADeadlineOfItsOwn: what was kept is of one outage, one phase.
func TestANewOutageHasADeadlineOfItsOwn(t *testing.T) {
	const s = time.Second
	var times steady
	for _, st := range []struct {
		at   time.Duration
		p    picture
		want time.Duration
	}{
		{0, counting("GRACE", "b-1", 10*s), 10 * s},
		{s, counting("GRACE", "b-2", 300*s), 300 * s},
		{2 * s, counting("HELD", "b-2", 1800*s), 1800 * s},
		{3 * s, counting("GRACE", "b-2", 297*s), 297 * s},
	} {
		times.take(st.at, st.p)
		if got := toDuration(*times.show(st.at, st.at, st.p).Nodes[0].Deadline); got != st.want {
			t.Errorf("after %s: %s, want %s", st.at, got, st.want)
		}
	}
	other := counting("GRACE", "b-1", 10*s)
	other.Masters[0].UPS = append(other.Masters[0].UPS, upsPicture{Name: "spare", Outage: "b-9"})
	if a, b := other.deadlineOf(other.Nodes[0]), counting("GRACE", "b-1", 0).deadlineOf(other.Nodes[0]); a != b {
		t.Errorf("a UPS that it does not live on makes another deadline: %q, %q", a, b)
	}
}

func TestAgesDontJump(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	picture := func(state string, age time.Duration) picture {
		since := age.Seconds()
		return picture{
			Masters:  []masterPicture{{UPS: []upsPicture{{State: state, Age: since}}}},
			Problems: []problemPicture{{On: "node/db1", Name: "node-lost", Age: &since}, {Name: "of old software"}},
		}
	}
	var times steady
	for _, st := range []struct {
		at    time.Duration
		state string
		said  time.Duration
		want  time.Duration
	}{
		{0, "FAIL", 12*s + 400*ms, 12 * s},
		{s, "FAIL", 13 * s, 13 * s},
		{2 * s, "FAIL", 15 * s, 14 * s},
		{3 * s, "FAIL", 14*s + 600*ms, 15 * s},
		{4 * s, "FAIL", 30 * s, 30 * s},
		{5 * s, "OK", 0, 0},
		{6 * s, "OK", 900 * ms, 1 * s},
	} {
		p := picture(st.state, st.said)
		times.take(st.at, p)
		shown := times.show(st.at, st.at, p)
		if got := toDuration(shown.Masters[0].UPS[0].Age); got != st.want {
			t.Errorf("after %s: %s, want %s", st.at, got, st.want)
		}
		if later := times.show(st.at+10*s, st.at, p); later.Masters[0].UPS[0].Age != shown.Masters[0].UPS[0].Age {
			t.Error("an age went on although nobody answered")
		}
		if p.Masters[0].UPS[0].Age != st.said.Seconds() || *p.Problems[0].Age != st.said.Seconds() {
			t.Error("the answer itself was changed")
		}
		if shown.Problems[1].Age != nil {
			t.Error("an age was made up")
		}
	}
}

// TestCountdownsNeverRise: whatever is answered and when, in one outage.
func TestCountdownsNeverRise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var times steady
		var now time.Duration
		was := 1000 * time.Hour
		for range rapid.IntRange(1, 40).Draw(t, "answers") {
			now += time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms later")) * time.Millisecond
			p := counting("GRACE", "b-1", time.Duration(rapid.IntRange(0, 400_000).Draw(t, "ms said"))*time.Millisecond)
			times.take(now, p)
			got := toDuration(*times.show(now, now, p).Nodes[0].Deadline)
			if got > was || got != got.Truncate(time.Second) {
				t.Fatalf("%s after %s", got, was)
			}
			was = got
		}
	})
}
