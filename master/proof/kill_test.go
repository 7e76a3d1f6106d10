package proof

import (
	"slices"
	"strings"
	"testing"
)

// TestWhatProvesAKill: web1 was off before the host went to cut the load, and came back
// without anybody's help while the battery would have lasted. Each other case lacks one
// of these.
func TestWhatProvesAKill(t *testing.T) {
	story := []string{
		"fail o1", "host fail", "web1 fail", "1m", "web1 commit", "web1 done", "9s", "web1 off", "web1 quiet", "31s",
		"host commit", "host done", "seal o1 10m", "~5m", "reboot", "blind", "2s", "ok", "10s", "web1 boot", "1m",
	}
	instead := func(of string, lines ...string) []string {
		i := slices.Index(story, of)
		if i < 0 {
			t.Fatalf("no line %q", of)
		}
		return slices.Concat(story[:i], lines, story[i+1:])
	}
	for name, c := range map[string]struct {
		story []string
		want  bool
	}{
		"as it is meant": {story, true},
		"the master is stopped before its host goes": {instead("~5m", "restart", "~5m"), true},
		"it attaches before the UPS is seen":         {instead("blind", "blind", "web1 boot"), true},
		"nothing was sealed":                         {instead("seal o1 10m"), false},
		"the seal was taken back":                    {instead("seal o1 10m", "seal o1 10m", "seal"), false},
		"sealed in another outage":                   {instead("seal o1 10m", "seal o0 10m"), false},
		"the battery may have been empty":            {instead("~5m", "~12m"), false},
		"the clock stood still while it was off":     {instead("~5m", "~1s"), false},
		"nobody saw that it was off":                 {instead("web1 quiet"), false},
		"it was woken":                               {instead("10s", "wake web1"), false},
		"its own clock starts it":                    {instead("1m", "web1 rtc", "1m"), false},
		"it lives on another UPS too":                {instead("1m", "web1 two", "1m"), false},
		"it lives on another master's too":           {instead("1m", "web1 abroad", "1m"), false},
		"only the master was begun anew":             {instead("reboot", "restart"), false},
	} {
		t.Run(name, func(t *testing.T) {
			ta := newTale()
			ta.tell(c.story...)
			got := ta.proved()
			if is := strings.Contains(got[len(got)-1], ", kill "); is != c.want {
				t.Errorf("proved %v, want %v: %q", is, c.want, got)
			}
			if is := ta.p.Nodes["web1"].BackWall.IsZero(); is {
				t.Errorf("web1 never came back, so this tests nothing: %q", got)
			}
		})
	}
}

// TestASealThatIsTakenBackStaysSo, though the disk is read later.
func TestASealThatIsTakenBackStaysSo(t *testing.T) {
	old := New("m0")
	old.Seal(map[string]Sealed{"main": {Outage: "o1"}})
	p, fresh := New("m0"), New("m0")
	p.Seal(nil)
	p.Resume(old, "host")
	fresh.Resume(old, "host")
	if len(p.Sealed) != 0 || len(fresh.Sealed) != 1 {
		t.Errorf("taken back: %v; never asked: %v", p.Sealed, fresh.Sealed)
	}
}
