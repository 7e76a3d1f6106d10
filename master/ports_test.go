package master

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestLaw04PortsFollowTheirUPS: an open port is found by what it is, whatever its UPS
// is called now, and left with the service manager under the new name. Two UPSes
// that swap their names keep both.
func TestLaw04PortsFollowTheirUPS(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	stored := map[string]string{} // what the service manager has
	open := func(name string) *os.File {
		f, err := os.Open(path(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	o := Options{
		Log:   slog.New(slog.DiscardHandler),
		Store: func(name string, f *os.File) error { stored[name] += filepath.Base(f.Name()); return nil },
		Drop:  func(name string) error { delete(stored, name); return nil },
	}
	old := newPorts(o)
	for _, name := range []string{"a", "b", "c"} {
		old.store("ups-"+name, open(name))
		old.keep("ups-"+name, open(name))
	}
	o.Before = &Master{ports: old}
	next := newPorts(o)
	if f := next.take("ups-a", path("b")); f == nil || filepath.Base(f.Name()) != "b" {
		t.Error("a renamed port was not found")
	}
	if next.take("ups-b", path("a")) == nil || next.take("ups-x", path("none")) != nil || next.take("ups-y", path("a")) != nil {
		t.Error("a port was taken that should not, or not one that should")
	}
	lost := next.open["ups-c"]
	next.dropOthers()
	if _, err := lost.Stat(); err == nil {
		t.Error("the port of no UPS is still open")
	}
	if got := fmt.Sprint(stored); got != "map[ups-a:b ups-b:a]" {
		t.Errorf("the service manager has %s", got)
	}
	next.store("ups-a", open("c")) // lost and found elsewhere: the old one is dropped
	if stored["ups-a"] != "c" || len(next.open) != 0 {
		t.Errorf("the service manager has %v", stored)
	}
}
