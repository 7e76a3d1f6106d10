package policy_test

import (
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestLaw05WhoIsOff: how a node is known to be off; what it is not known to be can't be
// cut. Its stop time is 1m.
func TestLaw05WhoIsOff(t *testing.T) {
	done := func(committed power.Uptime) policy.Standing {
		return policy.Standing{Present: true, Phase: policy.Done, Committed: committed, Heard: committed.Add(5 * second)}
	}
	with := func(s policy.Standing, set func(*policy.Standing)) policy.Standing {
		set(&s)
		return s
	}
	for _, tt := range []struct {
		name string
		is   policy.Standing
		want policy.OffState
	}{
		{"attached and committed for hours", with(done(ago(30*minute)), func(s *policy.Standing) { s.Attached = true }), policy.OffNot},
		{"attached and cut", with(done(ago(30*minute)), func(s *policy.Standing) { s.Attached, s.Cut = true, ago(minute) }), policy.OffNot},
		{"its link ended, nobody can probe it", done(ago(89 * second)), policy.OffNot},
		{"nobody can probe it, and its time is over", done(ago(91 * second)), policy.OffAssumed},
		{"it answers", with(done(ago(20*second)), func(s *policy.Standing) { s.Answered = ago(second) }), policy.OffNot},
		{"it answers though its time is long over", with(done(ago(10*minute)), func(s *policy.Standing) { s.Answered = ago(second) }), policy.OffNot},
		{"it answered, and nobody can ask any more", with(done(ago(89*second)), func(s *policy.Standing) { s.Answered = ago(80 * second) }), policy.OffNot},
		{"it answered, nobody can ask, and its time is over", with(done(ago(91*second)), func(s *policy.Standing) { s.Answered = ago(80 * second) }), policy.OffAssumed},
		{"silent for less than the margin", with(done(ago(40*second)), func(s *policy.Standing) { s.Answered, s.Silent = ago(30*second), ago(29*second) }), policy.OffNot},
		{"its time is over, and it answered half a minute ago", with(done(ago(5*minute)), func(s *policy.Standing) { s.Answered, s.Silent = ago(30*second), ago(29*second) }), policy.OffNot},
		{"silent for the margin", with(done(ago(40*second)), func(s *policy.Standing) { s.Answered, s.Silent = ago(31*second), ago(30*second) }), policy.OffProbed},
		{"silent, and it never answered", with(done(ago(40*second)), func(s *policy.Standing) { s.Silent = ago(35 * second) }), policy.OffNot},
		{"it never answered, and its time is over", with(done(ago(91*second)), func(s *policy.Standing) { s.Silent = ago(80 * second) }), policy.OffAssumed},
		{"out of reach before it committed", with(done(ago(10*second)), func(s *policy.Standing) { s.Answered, s.Silent = ago(5*minute), ago(4*minute) }), policy.OffNot},
		{"silent and not committed", policy.Standing{Present: true, Phase: policy.Grace, Heard: ago(5 * minute), Answered: ago(5 * minute), Silent: ago(4 * minute)}, policy.OffNot},
		{"not heard since the cut", policy.Standing{Present: true, Phase: policy.Done, Committed: ago(91 * second), Cut: ago(91 * second)}, policy.OffCut},
		{"the cut may have been overtaken by the mains, and it has not had its time", policy.Standing{Present: true, Phase: policy.Done, Committed: ago(89 * second), Cut: ago(89 * second)}, policy.OffNot},
		{"it answers since the cut", policy.Standing{Present: true, Phase: policy.Done, Committed: ago(5 * minute), Cut: ago(5 * minute), Answered: ago(second)}, policy.OffNot},
		{"it answered since the cut, and nobody can ask any more", policy.Standing{Present: true, Phase: policy.Done, Committed: ago(5 * minute), Cut: ago(5 * minute), Answered: ago(2 * minute)}, policy.OffAssumed},
		{"it was heard since the cut, and went", with(done(ago(91*second)), func(s *policy.Standing) { s.Cut = ago(5 * minute) }), policy.OffAssumed},
		{"it boots", with(done(ago(10*minute)), func(s *policy.Standing) { s.Answered, s.Alive = ago(second), ago(59*second) }), policy.OffNot},
		{"it boots and is silent for a moment", with(done(ago(10*minute)), func(s *policy.Standing) {
			s.Answered, s.Alive, s.Silent = ago(40*second), ago(59*second), ago(35*second)
		}), policy.OffNot},
		{"it booted and went off again", with(done(ago(10*minute)), func(s *policy.Standing) { s.Answered, s.Alive, s.Silent = ago(45*second), ago(minute), ago(40*second) }), policy.OffProbed},
		{"it was not there, and boots", policy.Standing{Answered: ago(second), Alive: ago(59 * second)}, policy.OffNot},
		{"it was not there, answers and never attached", policy.Standing{Answered: ago(second), Alive: ago(minute)}, policy.OffAbsent},
		{"it was not there", policy.Standing{Phase: policy.Idle, Heard: ago(time.Hour / 2)}, policy.OffAbsent},
		{"lost, its deadline just passed", policy.Standing{Present: true, Phase: policy.Grace, Timed: true, Goes: ago(90 * second)}, policy.OffNot},
		{"lost, its deadline long passed", policy.Standing{Present: true, Phase: policy.Grace, Timed: true, Goes: ago(91 * second)}, policy.OffAssumed},
		{"lost, its deadline long passed, and it answers", policy.Standing{Present: true, Phase: policy.Grace, Timed: true, Goes: ago(10 * minute), Answered: ago(second)}, policy.OffNot},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.is.StopTime = minute
			if got := tt.is.OffAs(now); got != tt.want {
				t.Errorf("it is %d %q, want %d %q", got, got, tt.want, tt.want)
			}
			if tt.is.Off(now) != (tt.want != policy.OffNot) {
				t.Error("Off and OffAs disagree")
			}
		})
	}
}

// What boots is waited for as long as it takes to be down again, whoever it was before.
func TestWhatBootsIsWaitedForItsStopTime(t *testing.T) {
	for name, is := range map[string]policy.Standing{
		"absent before":    {},
		"committed before": {Present: true, Phase: policy.Done, Committed: ago(20 * minute)},
		"lost before":      {Present: true, Phase: policy.Grace, Heard: ago(20 * minute)},
	} {
		is.Name, is.StopTime, is.Answered, is.Alive = "web1", minute, ago(second), ago(10*second)
		got := policy.StillUp(now, 5*minute, 1, []policy.Standing{is})
		if got.Open || got.Limit != now.Add(50*second) {
			t.Errorf("%s: %+v, want a limit in 50s", name, got)
		}
	}
}

func TestOffBy(t *testing.T) {
	for name, tt := range map[string]struct {
		is   policy.Standing
		want time.Duration // from now; 0: nobody can say
	}{
		"committed and attached": {policy.Standing{Attached: true, Phase: policy.Committed, Committed: ago(10 * second)}, 80 * second},
		"committed and gone":     {policy.Standing{Phase: policy.Done, Committed: ago(10 * second)}, 80 * second},
		"lost in grace":          {policy.Standing{Phase: policy.Grace, Timed: true, Goes: ago(-10 * second)}, 100 * second},
		"lost in idle":           {policy.Standing{Phase: policy.Idle}, 0},
		"attached in grace":      {policy.Standing{Attached: true, Phase: policy.Grace, Timed: true, Goes: ago(-10 * second)}, 0},
	} {
		tt.is.StopTime = minute
		by, ok := tt.is.OffBy()
		if ok != (tt.want != 0) || ok && by != now.Add(tt.want) {
			t.Errorf("%s: %s, %t; want in %s", name, by.Sub(now), ok, tt.want)
		}
	}
}
