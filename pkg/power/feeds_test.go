package power_test

import (
	"testing"

	"github.com/lastwatt/lastwatt/pkg/power"
)

func TestFeeds(t *testing.T) {
	ok := power.State{Status: power.OK, Last: power.OK, Reason: "ok"}
	fail := func(name string, since power.Uptime) power.State {
		return power.State{Status: power.Fail, Last: power.Fail, Outage: name, OutageSince: since, Reason: name}
	}
	low := power.State{Status: power.BatLow, Last: power.BatLow, Outage: "low", Reason: "low"}
	blindOK := power.State{Last: power.OK, Reason: "blind ok"}
	blindFail := power.State{Last: power.Fail, Outage: "x", Reason: "blind fail"}
	simOK := power.State{Status: power.OK, Last: power.OK, Sim: true, Reason: "sim ok"}
	simFail := power.State{Status: power.Fail, Last: power.Fail, Outage: "s", Sim: true, Reason: "sim fail"}
	never := power.State{Reason: "never"}
	up, away, lost, none := power.LinkUp, power.LinkAway, power.LinkLost, power.LinkNone
	type in struct {
		name string
		s    power.State
		l    power.Link
	}
	for _, tc := range []struct {
		name  string
		need  int
		names []string
		in    []in
		want  string
		link  power.Link
		obey  bool
	}{
		{"none", 1, nil, nil, "", none, false},
		{"the only one", 1, nil, []in{{"a", ok, up}}, "ok", up, false},
		{"one of two is enough", 1, []string{"a", "b"}, []in{{"a", fail("f", 1), up}, {"b", ok, up}}, "ok", up, false},
		{"both are needed", 2, []string{"a", "b"}, []in{{"a", fail("f", 1), up}, {"b", ok, up}}, "f", up, false},
		{"two of three", 2, []string{"a", "b", "c"}, []in{{"a", low, up}, {"b", ok, up}, {"c", fail("f", 1), up}}, "f", up, false},
		{"need more than there are", 5, []string{"a", "b"}, []in{{"a", fail("f", 1), up}, {"b", ok, up}}, "f", up, false},
		{"need nonsense", 0, []string{"a", "b"}, []in{{"a", fail("f", 1), up}, {"b", ok, up}}, "ok", up, false},
		{"the youngest outage", 1, []string{"a", "b"}, []in{{"a", fail("old", 1), up}, {"b", fail("young", 2), up}}, "young", up, false},
		{"the youngest outage, other way", 1, []string{"a", "b"}, []in{{"a", fail("young", 2), up}, {"b", fail("old", 1), up}}, "young", up, false},
		{"the second youngest when two are needed", 2, []string{"a", "b"}, []in{{"a", fail("old", 1), up}, {"b", fail("young", 2), up}}, "old", up, false},
		{"blind counts as it was: good", 1, []string{"a", "b"}, []in{{"a", blindOK, up}, {"b", fail("f", 1), up}}, "blind ok", up, false},
		{"blind counts as it was: bad", 1, []string{"a", "b"}, []in{{"a", blindFail, up}, {"b", low, up}}, "blind fail", up, false},
		{"seeing before blind", 1, []string{"a", "b"}, []in{{"a", blindOK, up}, {"b", ok, up}}, "ok", up, false},
		{"in touch before lost", 1, []string{"a", "b"}, []in{{"a", fail("lost", 9), lost}, {"b", fail("near", 1), up}}, "near", up, false},
		{"away before lost", 1, []string{"a", "b"}, []in{{"a", ok, lost}, {"b", blindOK, away}}, "blind ok", away, false},
		{"never known is not counted", 2, []string{"a", "b"}, []in{{"a", never, up}, {"b", fail("f", 1), up}}, "f", up, false},
		{"none known: the best contact", 1, []string{"a", "b"}, []in{{"a", power.State{}, lost}, {"b", never, up}}, "never", up, false},
		{"not named is not counted", 1, []string{"a"}, []in{{"a", fail("f", 1), up}, {"b", ok, up}}, "f", up, false},
		{"several and none named: the first that fails", 1, nil, []in{{"a", ok, up}, {"b", fail("f", 1), up}}, "f", up, false},
		{"the newest picture", 1, nil, []in{{"a", ok, up}, {"a", fail("f", 1), up}}, "f", up, false},
		{"real before pretended", 2, []string{"a", "b"}, []in{{"a", simOK, up}, {"b", fail("f", 1), up}}, "f", up, false},
		{"real before pretended, that is back", 2, []string{"a", "b"}, []in{{"a", simOK, up}, {"b", fail("f", 1), up}, {"b", ok, up}}, "ok", up, false},
		{"real before pretended, that is bad", 2, []string{"a", "b"}, []in{{"a", simFail, up}, {"b", ok, up}}, "ok", up, false},
		{"pretended and obeyed", 2, []string{"a", "b"}, []in{{"a", simFail, up}, {"b", ok, up}}, "sim fail", up, true},
		{"a master that has begun anew knows less", 1, []string{"a", "b"}, []in{{"a", low, lost}, {"b", ok, up}, {"b", never, up}}, "never", up, false},
		{"and says so twice", 1, []string{"a", "b"}, []in{{"a", low, lost}, {"b", ok, up}, {"b", never, up}, {"b", never, up}}, "never", up, false},
		{"in an outage likewise", 2, []string{"a", "b"}, []in{{"a", ok, up}, {"b", fail("f", 1), up}, {"b", never, up}}, "never", up, false},
		{"but not of another port", 1, []string{"a", "b"}, []in{{"a", low, lost}, {"b", simOK, up}, {"b", never, up}}, "low", lost, true},
		{"pretended alone", 1, nil, []in{{"a", simFail, up}}, "sim fail", up, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := power.NewFeeds(tc.need, tc.names, tc.obey)
			for _, i := range tc.in {
				f.Update(i.name, i.s, i.l)
			}
			if s, l := f.Combined(); s.Reason != tc.want || l != tc.link {
				t.Errorf("decides %q over %s, want %q over %s", s.Reason, l, tc.want, tc.link)
			}
		})
	}
}

func TestFeedsAmbiguous(t *testing.T) {
	f := power.NewFeeds(1, nil, false)
	f.Update("m/a", power.State{}, power.LinkUp)
	if f.Ambiguous() {
		t.Error("one feed is not ambiguous")
	}
	f.Update("m/b", power.State{}, power.LinkUp)
	if !f.Ambiguous() || len(f.Names()) != 2 {
		t.Error("two feeds, none named, are")
	}
	f = power.NewFeeds(1, []string{"m/a"}, false)
	f.Update("m/a", power.State{}, power.LinkUp)
	f.Update("m/b", power.State{}, power.LinkUp)
	if f.Ambiguous() || len(f.Names()) != 1 {
		t.Error("a named one is not")
	}
}
