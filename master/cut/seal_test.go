package cut_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// at is a moment so many seconds after boot.
func at(seconds float64) power.Uptime { return power.Uptime(seconds * float64(time.Second)) }

func cable(t testing.TB, name string) line.Cable {
	t.Helper()
	c, ok := line.Lookup(name)
	if !ok {
		t.Fatalf("no cable %q", name)
	}
	return c
}

// sealed is a good seal of two UPSes.
func sealed(t *testing.T) cut.Seal {
	return cut.Seal{Boot: "b1", Made: at(100), Expires: at(1000), UPS: []cut.Sealed{
		{Name: "main", Outage: "o1", Port: "/dev/ttyS0", Cable: cable(t, "nut-7"), NotBefore: at(160), Own: true},
		{Name: "side", Outage: "o2", Port: "/dev/ttyS1", Cable: cable(t, "liebert-powersure"), NotBefore: at(130)},
	}}
}

func TestSealComesBackAsItWasWritten(t *testing.T) {
	path, want := filepath.Join(t.TempDir(), cut.FileName), sealed(t)
	if err := cut.Write(nil, path, want); err != nil {
		t.Fatal(err)
	}
	got, err := cut.Load(nil, path)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	for range 2 {
		if err := cut.Remove(nil, path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cut.Load(nil, path); !errors.Is(err, cut.ErrNone) {
		t.Fatalf("after Remove: %v", err)
	}
}

// TestLaw04ATornSealIsNone cuts a seal off at every length and turns every byte.
func TestLaw04ATornSealIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), cut.FileName)
	if err := cut.Write(nil, path, sealed(t)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, i int, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cut.Load(nil, path); !errors.Is(err, cut.ErrTorn) {
			t.Errorf("%s at %d: %v", what, i, err)
		}
	}
	for i := range len(whole) - 1 { // all but the newline
		try("cut off", i, whole[:i])
		turned := append([]byte{}, whole...)
		turned[i] ^= 0x04
		try("turned", i, turned)
	}
}

// TestLaw04AForeignSealIsNone rewrites a seal with a good checksum.
func TestLaw04AForeignSealIsNone(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(map[string]any)
		want  error
	}{
		{"another form", func(m map[string]any) { m["form"] = 2 }, cut.ErrForeign},
		{"nobody's", func(m map[string]any) { clear(m); m["boot"] = "b1" }, cut.ErrForeign},
		{"another cable", func(m map[string]any) { first(m)["cable"].(map[string]any)["drive"] = []string{"DTR", "RTS"} }, cut.ErrForeign},
		{"no cable at all", func(m map[string]any) { first(m)["cable"].(map[string]any)["on_battery"] = "DTR" }, cut.ErrTorn},
		{"a hash too few", func(m map[string]any) { m["hash"] = []string{} }, cut.ErrTorn},
		{"no outage", func(m map[string]any) { first(m)["outage"] = "" }, cut.ErrForeign},
		{"no boot", func(m map[string]any) { m["seal"].(map[string]any)["boot"] = "" }, cut.ErrForeign},
		{"cut before it was made", func(m map[string]any) { first(m)["not_before"] = 0 }, cut.ErrForeign},
		{"empty before it was made", func(m map[string]any) { first(m)["empty_by"] = 1 }, cut.ErrForeign},
		{"a port that is none", func(m map[string]any) { first(m)["port"] = "sim" }, cut.ErrForeign},
		{"twice the same", func(m map[string]any) { first(m)["name"] = "side" }, cut.ErrForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), cut.FileName)
			if err := cut.Write(nil, path, sealed(t)); err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := journal.Load(path, &m); err != nil {
				t.Fatal(err)
			}
			c.alter(m)
			if err := journal.Save(path, m); err != nil {
				t.Fatal(err)
			}
			if _, err := cut.Load(nil, path); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func first(m map[string]any) map[string]any {
	return m["seal"].(map[string]any)["ups"].([]any)[0].(map[string]any)
}

func TestLaw04ASealIsGoodHereAndNowOnly(t *testing.T) {
	s := sealed(t)
	wired := func(alter func([]cut.Wired)) []cut.Wired {
		var all []cut.Wired
		for _, u := range s.UPS {
			all = append(all, cut.Wired{Name: u.Name, Port: u.Port, Cable: u.Cable})
		}
		alter(all)
		return all
	}
	for _, c := range []struct {
		name string
		here cut.Here
		want error
	}{
		{"good", cut.Here{Boot: "b1", Now: at(100), UPS: wired(func([]cut.Wired) {})}, nil},
		{"to the last moment", cut.Here{Boot: "b1", Now: at(1000) - 1}, nil},
		{"words of the cable don't count", cut.Here{Boot: "b1", Now: at(100), UPS: wired(func(w []cut.Wired) { w[0].Cable.Notes = "mine" })}, nil},
		{"one more UPS", cut.Here{Boot: "b1", Now: at(100), UPS: append(wired(func([]cut.Wired) {}), cut.Wired{Name: "new"})}, nil},
		{"no configuration", cut.Here{Boot: "b1", Now: at(100)}, nil},
		{"expired", cut.Here{Boot: "b1", Now: at(1000)}, cut.ErrExpired},
		{"another boot", cut.Here{Boot: "b2", Now: at(100)}, cut.ErrOtherBoot},
		{"a boot nobody knows", cut.Here{Now: at(100)}, cut.ErrOtherBoot},
		{"from later", cut.Here{Boot: "b1", Now: at(99)}, cut.ErrForeign},
		{"another port", cut.Here{Boot: "b1", Now: at(100), UPS: wired(func(w []cut.Wired) { w[1].Port = "/dev/ttyS9" })}, cut.ErrForeign},
		{"another cable", cut.Here{Boot: "b1", Now: at(100), UPS: wired(func(w []cut.Wired) { w[0].Cable = cable(t, "nut-10"); w[0].Cable.Kill.Hold++ })}, cut.ErrForeign},
		{"a UPS that is gone", cut.Here{Boot: "b1", Now: at(100), UPS: wired(func(w []cut.Wired) { w[0].Name = "else" })}, cut.ErrForeign},
		{"all UPSes gone", cut.Here{Boot: "b1", Now: at(100), UPS: []cut.Wired{}}, cut.ErrForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := s.Check(c.here); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestWriteRefusesWhatLoadWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), cut.FileName)
	for _, c := range []struct {
		alter func(*cut.Seal)
		want  string
	}{
		{func(s *cut.Seal) { s.Boot = "" }, "no boot"},
		{func(s *cut.Seal) { s.UPS = nil }, "no UPS"},
		{func(s *cut.Seal) { s.Expires = s.Made }, "expires"},
		{func(s *cut.Seal) { s.UPS[0].Outage = "" }, "no outage"},
		{func(s *cut.Seal) { s.UPS[0].Port = "sim" }, "port"},
		{func(s *cut.Seal) { s.UPS[0].Cable = line.Cable{} }, "on_battery"},
	} {
		s := sealed(t)
		c.alter(&s)
		if err := cut.Write(nil, path, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want something with %q", err, c.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Fatal("it wrote it all the same")
		}
	}
}

// TestEveryCableCanBeSealed holds that a cable survives the way through JSON.
func TestEveryCableCanBeSealed(t *testing.T) {
	for _, c := range line.Catalogue() {
		text, err := json.Marshal(c)
		var got line.Cable
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.Name, err, diff)
		}
	}
}
