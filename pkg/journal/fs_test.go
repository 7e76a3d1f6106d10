package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faulty is the real disk, but before each operation it asks before, which may take
// its time, fail it, or panic.
type faulty struct {
	realFS
	before func(op, path string) error
}

func (d faulty) Open(path string, flag int, perm fs.FileMode) (File, error) {
	op := "open"
	if flag&os.O_CREATE != 0 {
		op = "create"
	}
	if err := d.before(op, path); err != nil {
		return nil, err
	}
	f, err := d.realFS.Open(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return faultyFile{f, path, d}, nil
}

func (d faulty) Rename(from, to string) error {
	if err := d.before("rename", from); err != nil {
		return err
	}
	return d.realFS.Rename(from, to)
}

func (d faulty) Remove(path string) error {
	if err := d.before("remove", path); err != nil {
		return err
	}
	return d.realFS.Remove(path)
}

func (d faulty) SyncDir(dir string) error { return d.before("sync folder", dir) }

func (d faulty) Same(a, b File) bool {
	return d.realFS.Same(a.(faultyFile).File, b.(faultyFile).File)
}

type faultyFile struct {
	File
	path string
	d    faulty
}

func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.d.before("write", f.path); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f faultyFile) Sync() error { return f.d.before("sync", f.path) }

// fakeDisk is a disk with a journal that fails and hangs as it is told.
type fakeDisk struct {
	path string
	mu   sync.Mutex
	err  error
	hang chan struct{} // not nil: every operation waits for it
}

func newFakeDisk(t *testing.T) *fakeDisk {
	return &fakeDisk{path: filepath.Join(t.TempDir(), "events")}
}

func (d *fakeDisk) fs() FS {
	return faulty{before: func(string, string) error {
		d.mu.Lock()
		hang := d.hang
		d.mu.Unlock()
		if hang != nil {
			<-hang
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.err
	}}
}

func (d *fakeDisk) set(err error, hang chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.hang = err, hang
}

// written returns the names of the records on disk.
func (d *fakeDisk) written(t *testing.T) (names []string) {
	t.Helper()
	all, err := read(t, d.path)
	if err != nil {
		t.Error(err)
	}
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func TestTheRealDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "file")
	var d FS = realFS{}
	if _, err := d.Open(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	open := func(path string) File {
		t.Helper()
		f, err := d.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	one, same, other := open(path), open(path), open(path+"2")
	if !d.Same(one, same) || d.Same(one, other) || d.Same(one, nil) {
		t.Error("two files are one, or one is two")
	}
	if err := os.Symlink(path, path+"3"); err != nil {
		t.Fatal(err)
	}
	got, err := d.List(dir)
	if diff := cmp.Diff([]string{"file", "file2"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := d.Open(dir, os.O_RDONLY, 0); err == nil || cause(err).Error() != "it is not a regular file; remove it" {
		t.Errorf("a folder: %v", err)
	}
	for _, dir := range []string{dir, filepath.Join(dir, "none")} {
		_, err := d.List(dir)
		if got := d.SyncDir(dir); errors.Is(got, fs.ErrNotExist) != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", dir, got, err)
		}
	}
}
