package memrack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// mortal is a program that dies before one of its operations, on a disk whose syncs
// may be lies.
type mortal struct {
	journal.FS
	d         *Disk
	left      *int
	sour      *rand.Rand // makes some of what concerns names fail; nil: none
	lies      bool       // a file's sync does nothing
	liesOfDir bool       // a folder's does
}

func (m mortal) step() {
	if *m.left--; *m.left == -1 {
		m.d.Kill()
	}
}

func (m mortal) refuses() bool { return m.sour != nil && m.sour.IntN(4) == 0 }

func (m mortal) Open(path string, flag int, perm fs.FileMode) (journal.File, error) {
	if m.step(); flag&os.O_CREATE != 0 && m.refuses() {
		return nil, syscall.EIO
	}
	f, err := m.FS.Open(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return mortalFile{f, m}, nil
}

func (m mortal) Rename(from, to string) error {
	m.step()
	return m.FS.Rename(from, to)
}

func (m mortal) Remove(path string) error {
	m.step()
	return m.FS.Remove(path)
}

func (m mortal) SyncDir(dir string) error {
	if m.step(); m.refuses() {
		return syscall.EIO
	}
	if m.liesOfDir {
		dir = "/elsewhere"
	}
	return m.FS.SyncDir(dir)
}

func (m mortal) Same(a, b journal.File) bool {
	return m.FS.Same(a.(mortalFile).File, b.(mortalFile).File)
}

type mortalFile struct {
	journal.File
	m mortal
}

func (f mortalFile) Write(b []byte) (int, error) {
	f.m.step()
	return f.File.Write(b)
}

func (f mortalFile) Truncate(size int64) error {
	f.m.step()
	return f.File.Truncate(size)
}

func (f mortalFile) Sync() error {
	if f.m.step(); f.m.lies {
		return nil
	}
	return f.File.Sync()
}

// TestLaw12ACrashAtAnyStepOfASave: there is the old content or the new, and the new
// once the save has returned.
func TestLaw12ACrashAtAnyStepOfASave(t *testing.T) {
	for name, c := range map[string]struct {
		m   mortal
		bad bool
	}{
		"a disk":                     {mortal{}, false},
		"one that syncs no file":     {mortal{lies: true}, true},
		"one that syncs no folder":   {mortal{liesOfDir: true}, true},
		"one that syncs none at all": {mortal{lies: true, liesOfDir: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tryAll(t, 400, c.bad, func(seed uint64, r *rand.Rand) error { return saveAndCrash(c.m, int(seed%12), r) })
		})
	}
}

// tryAll tries so many seeds; one of them has to fail where the disk is bad, and none
// where it isn't.
func tryAll(t *testing.T, seeds uint64, bad bool, try func(seed uint64, r *rand.Rand) error) {
	t.Helper()
	var found error
	for seed := range seeds {
		if err := try(seed, rand.New(rand.NewPCG(seed, 0))); err != nil {
			found = fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	if (found != nil) != bad {
		t.Errorf("found: %v", found)
	}
}

func saveAndCrash(m mortal, steps int, r *rand.Rand) error {
	const path = "/d/state"
	m.d, m.left = NewDisk(), new(int)
	have := 0 // the newest that was saved; 0: none
	for n := 1; n <= 6; n++ {
		if *m.left = 1000; n%2 == 0 {
			*m.left = steps
		}
		m.FS = m.d.FS()
		s := journal.NewSaver(journal.SaverOptions{Path: path, FS: m, Log: slog.New(slog.DiscardHandler)})
		s.Put(n)
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Run(over)
		if s.Err() == nil {
			have = n
		}
		m.d.Crash(r)
		var got int
		err := journal.NewSaver(journal.SaverOptions{Path: path, FS: m.d.FS(), Log: slog.New(slog.DiscardHandler)}).Load(&got)
		switch {
		case errors.Is(err, fs.ErrNotExist) && have == 0:
		case err != nil:
			return fmt.Errorf("save %d: %w", n, err)
		case got != have && got != n:
			return fmt.Errorf("save %d: %d is there, %d was saved", n, got, have)
		}
		have = got
	}
	return nil
}

// TestLaw12ACrashAtAnyStepOfAJournal: over many lives, each of which ends at some step
// of opening, writing or rotating, every record is there once its writing has returned,
// in order, with one more at most, and nothing is damaged.
func TestLaw12ACrashAtAnyStepOfAJournal(t *testing.T) {
	for name, c := range map[string]struct {
		m   mortal
		bad bool
	}{
		"a disk":                   {mortal{}, false},
		"one that syncs no file":   {mortal{lies: true}, true},
		"one that syncs no folder": {mortal{liesOfDir: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tryAll(t, 1000, c.bad, func(_ uint64, r *rand.Rand) error { return lives(c.m, r) })
		})
	}
}

func lives(m mortal, r *rand.Rand) error {
	const path = "/d/journal"
	m.d, m.left, m.sour = NewDisk(), new(int), r
	var sure, seen []string // what has to be there; what was there last
	next := 0
	for life := range 8 {
		*m.left = r.IntN(40)
		m.FS = m.d.FS()
		j, err := journal.Open(path, journal.Options{Size: 300, Files: 100, FS: m})
		if err == nil {
			sure = seen // also what its writer was killed over
		}
		for err == nil {
			next++
			data := fmt.Sprintf(`"record %d"`, next)
			if _, err = j.Append(journal.Entry{Name: "n", Data: []byte(data)}); err == nil {
				sure = append(sure, data)
			}
		}
		crash := r.IntN(4) > 0
		if m.d.Kill(); crash {
			m.d.Crash(r)
		}
		var got []string
		seq := uint64(0)
		err = m.d.ReadJournal(path, func(e journal.Entry) error {
			if e.Seq <= seq {
				return fmt.Errorf("%d comes after %d", e.Seq, seq)
			}
			seq, got = e.Seq, append(got, string(e.Data))
			return nil
		})
		if err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if len(got) < len(sure) || len(got) > len(sure)+1 || !slices.Equal(got[:len(sure)], sure) {
			return fmt.Errorf("life %d: written %q, read %q", life, sure, got)
		}
		if seen = slices.Clone(got); crash {
			sure = seen
		}
	}
	return nil
}
