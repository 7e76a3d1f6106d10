package memrack

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// program is a [Disk] as one program sees it.
type program struct {
	d      *Disk
	killed chan struct{}
	above  bool // it is the judge, whom no fault touches
}

var _ journal.FS = program{}

const (
	errNotThere = syscall.ENOENT
	errFull     = syscall.ENOSPC
	errReadOnly = syscall.EROFS
)

var errKilled = errors.New("the program was killed")

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func (p program) dead() bool {
	select {
	case <-p.killed:
		return true
	default:
		return false
	}
}

// do carries out one operation: now changes what programs see, before the disk can
// hang; last, if it is not nil and all goes well, what a crash leaves, after it.
func (p program) do(op, path string, now, last func() error) error {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	err := errKilled
	if !p.dead() {
		err = now()
		p.wait()
	}
	switch {
	case p.dead():
		err = errKilled
	case err == nil && last != nil:
		err = last()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = pathError(op, path, err)
	}
	return err
}

// wait lets go of the lock and waits while the disk hangs.
func (p program) wait() {
	for p.d.free != nil && !p.above && !p.dead() {
		free := p.d.free
		p.d.mu.Unlock()
		select {
		case <-free:
		case <-p.killed:
		}
		p.d.mu.Lock()
	}
}

// moved notes a move of a name.
func (d *Disk) moved(m move) error {
	delete(d.names, m.from)
	if m.to != "" {
		d.names[m.to] = m.file
	}
	d.moves = append(d.moves, m)
	return nil
}

// Open opens a file. A folder is there when it is named.
func (p program) Open(path string, flag int, _ fs.FileMode) (journal.File, error) {
	path = filepath.Clean(path)
	f := &file{p: p, path: path, flag: flag}
	err := p.do("open", path, func() error {
		d := p.d
		found, ok := d.names[path]
		switch writes := flag&(os.O_WRONLY|os.O_RDWR) != 0; {
		case ok && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
			return syscall.EEXIST
		case !ok && flag&os.O_CREATE == 0:
			return errNotThere
		case writes && d.readOnly:
			return errReadOnly
		case !ok && d.full:
			return errFull
		case !ok:
			found = new(inode)
			_ = d.moved(move{to: path, file: found})
		}
		f.inode = found
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rename gives a file another name.
func (p program) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	return p.do("rename", from, func() error {
		f, ok := p.d.names[from]
		switch {
		case !ok:
			return errNotThere
		case filepath.Dir(from) != filepath.Dir(to):
			return syscall.EXDEV
		case p.d.readOnly:
			return errReadOnly
		}
		return p.d.moved(move{from: from, to: to, file: f})
	}, nil)
}

// Remove removes a file.
func (p program) Remove(path string) error {
	path = filepath.Clean(path)
	return p.do("remove", path, func() error {
		f, ok := p.d.names[path]
		switch {
		case !ok:
			return errNotThere
		case p.d.readOnly:
			return errReadOnly
		}
		return p.d.moved(move{from: path, file: f})
	}, nil)
}

// List returns the names in a folder.
func (p program) List(dir string) (names []string, err error) {
	dir = filepath.Clean(dir)
	err = p.do("read", dir, func() error {
		for path := range maps.Keys(p.d.names) {
			if filepath.Dir(path) == dir {
				names = append(names, filepath.Base(path))
			}
		}
		slices.Sort(names)
		return nil
	}, nil)
	return names, err
}

// SyncDir makes what was moved in a folder last.
func (p program) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	return p.do("sync", dir, func() error { return nil }, func() error {
		d := p.d
		if d.readOnly && slices.ContainsFunc(d.moves, func(m move) bool { return m.in(dir) }) {
			return errReadOnly
		}
		d.moves = slices.DeleteFunc(d.moves, func(m move) bool {
			if m.in(dir) {
				m.last(d.lasting)
				return true
			}
			return false
		})
		return nil
	})
}

// Same reports whether two open files are one.
func (p program) Same(a, b journal.File) bool {
	fa, isA := a.(*file)
	fb, isB := b.(*file)
	return isA && isB && fa.inode == fb.inode
}

// file is an open file.
type file struct {
	p     program
	inode *inode
	path  string
	flag  int
	at    int // where the next byte is read
	ended bool
}

var _ journal.File = (*file)(nil)

func (f *file) do(op string, now, last func() error) error {
	return f.p.do(op, f.path, func() error {
		if f.ended {
			return fs.ErrClosed
		}
		return now()
	}, last)
}

// Read reads on.
func (f *file) Read(b []byte) (n int, err error) {
	err = f.do("read", func() error {
		if f.at >= len(f.inode.data) {
			return io.EOF
		}
		n = copy(b, f.inode.data[f.at:])
		f.at += n
		return nil
	}, nil)
	if err != nil {
		n = 0
	}
	return n, err
}

// Write adds to the file's end: the journal writes nowhere else.
func (f *file) Write(b []byte) (n int, err error) {
	err = f.do("write", func() error {
		switch {
		case f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
			return syscall.EBADF
		case f.flag&os.O_APPEND == 0 && f.at != len(f.inode.data):
			return errors.ErrUnsupported
		case f.p.d.readOnly:
			return errReadOnly
		}
		n = len(b)
		if f.p.d.full {
			n /= 2
		}
		f.inode.change(len(f.inode.data), b[:n])
		f.at = len(f.inode.data)
		if n < len(b) {
			return errFull
		}
		return nil
	}, nil)
	return n, err
}

// change changes what programs see.
func (f *inode) change(size int, add []byte) {
	if size < len(f.data) {
		f.data = slices.Clip(f.data[:size]) // what lasts has the rest
	}
	f.data = append(f.data, add...)
	f.changes = append(f.changes, change{size, slices.Clone(add)})
}

// Truncate cuts the file off.
func (f *file) Truncate(size int64) error {
	return f.do("truncate", func() error {
		switch {
		case f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
			return syscall.EINVAL
		case size > int64(len(f.inode.data)):
			return errors.ErrUnsupported
		case f.p.d.readOnly:
			return errReadOnly
		}
		f.inode.change(int(size), nil)
		return nil
	}, nil)
}

// Sync makes what was written last.
func (f *file) Sync() error {
	return f.do("sync", func() error { return nil }, func() error {
		if f.p.d.readOnly && len(f.inode.changes) > 0 {
			return errReadOnly
		}
		f.inode.sync()
		return nil
	})
}

// Close closes the file. It waits for nothing.
func (f *file) Close() error {
	f.p.d.mu.Lock()
	defer f.p.d.mu.Unlock()
	if f.ended {
		return fs.ErrClosed
	}
	f.ended = true
	return nil
}
