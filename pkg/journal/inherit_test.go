package journal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

// TestLaw10AStateThatNoDiskTookIsInherited: what was put last is what the next one
// loads, on disk or not.
func TestLaw10AStateThatNoDiskTookIsInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "state")
	o := SaverOptions{Path: path, Log: quiet}
	load := func(s *Saver) (v string, err error) { err = s.Load(&v); return v, err }
	first := NewSaver(o)
	second := NewSaver(o)
	second.Inherit(first)
	if _, err := load(second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was put, and %v", err)
	}
	if err := Save(path, "old"); err != nil {
		t.Fatal(err)
	}
	if v, err := load(second); v != "old" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	first.Put("new") // it never runs: the disk has hung
	second.Inherit(first)
	third := NewSaver(o)
	third.Inherit(second)
	if v, err := load(third); v != "new" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	if err := third.flush(); err != nil {
		t.Fatal(err)
	}
	if v, err := load(NewSaver(o)); v != "new" || err != nil {
		t.Errorf("the disk has %q, %v", v, err)
	}
}
