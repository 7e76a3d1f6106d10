package memrack

import (
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/agent"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// TestADaemonsDisk: what a daemon keeps is on the disk that it was given, and only the
// rack's keys lie elsewhere.
func TestADaemonsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, net := t.TempDir(), NewNetwork()
		on := &machine{boot: "boot", born: time.Now().Add(-time.Hour)}
		chain, log := []shutdown.Executor{shutdown.None()}, slog.New(slog.DiscardHandler)
		config := func(name, more string) []byte {
			return fmt.Appendf(nil, "name = %[1]q\nlisten = \":1\"\nsocket = \"%[2]s/%[1]s.sock\"\ndata = \"%[2]s/%[1]s/data\"\nrun = \"%[2]s/%[1]s/run\"\n%[3]s%[4]s",
				name, dir, mdnsOff+"[[alarm]]\nto = \"https://nobody.example\"\n", more)
		}
		mc, err := master.ParseConfig("master.toml", config("rack1", simUPSText+"[node]\n"))
		if err != nil {
			t.Fatal(err)
		}
		ac, err := agent.ParseConfig("agent.toml", config("web1", ""))
		if err != nil {
			t.Fatal(err)
		}
		d := NewDisk()
		m, err := master.New(master.Options{Config: mc, Boot: on.boot, Chain: chain, Listen: net.Listen, Dial: net.Dialer("m"), Now: on.now, FS: d.FS(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(agent.Options{Config: ac, Boot: on.boot, Chain: chain, Listen: net.Listen, Dial: net.Dialer("a"), Now: on.now, FS: d.FS(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		p := run(append(m.Tasks(), a.Tasks()...))
		time.Sleep(time.Minute)
		p.stop(nil)
		wantFiles(t, d, dir, "rack1/data/alarms.json rack1/data/journal.jsonl rack1/run/master.json rack1/run/node.json web1/data/alarms.json web1/data/journal.jsonl web1/run/state.json", "rack1/data/trust")
	})
}

func wantFiles(t *testing.T, d *Disk, dir, want, real string) {
	t.Helper()
	var got []string
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		got = append(got, strings.TrimPrefix(path, dir+"/"))
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("on the disk in memory (-want +got):\n%s", diff)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); err == nil && !e.IsDir() && !strings.HasPrefix(rel, real+"/") {
			t.Errorf("on the real disk: %s", rel)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
