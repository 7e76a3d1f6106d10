package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is a file system, with no more of it than this package needs. Nil is the real
// one wherever an FS may be given. It may be called by anyone at any time.
type FS interface {
	// Open opens the file at path as [os.OpenFile] does; with [os.O_CREATE] it makes
	// missing folders too. What is no regular file is an error and not a wait.
	Open(path string, flag int, perm fs.FileMode) (File, error)
	// Rename gives a file another name in the same folder; what was there is replaced.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(path string) error
	// List returns the names of the regular files in a folder.
	List(dir string) ([]string, error)
	// SyncDir makes the names in a folder last: a Sync of a file does not.
	SyncDir(dir string) error
	// Same reports whether two open files are one.
	Same(a, b File) bool
}

// File is an open file of an [FS].
type File interface {
	io.ReadWriteCloser
	// Sync makes what was written last.
	Sync() error
	// Truncate cuts the file off at a size.
	Truncate(size int64) error
}

// realFS is the operating system's.
type realFS struct{}

var _ FS = realFS{}

// orReal returns the real one for nil.
func orReal(f FS) FS {
	if f == nil {
		return realFS{}
	}
	return f
}

func (realFS) Open(path string, flag int, perm fs.FileMode) (File, error) {
	if flag&os.O_CREATE != 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
	}
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file; remove it")}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (realFS) Rename(from, to string) error { return os.Rename(from, to) }

func (realFS) Remove(path string) error { return os.Remove(path) }

func (realFS) List(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (realFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (realFS) Same(a, b File) bool {
	fa, isA := a.(*os.File)
	fb, isB := b.(*os.File)
	if !isA || !isB {
		return false
	}
	stA, errA := fa.Stat()
	stB, errB := fb.Stat()
	return errA == nil && errB == nil && os.SameFile(stA, stB)
}

// cause strips the paths that [os.PathError] and [os.LinkError] repeat.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
