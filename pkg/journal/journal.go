package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// file is the part of *os.File that appending needs.
type file interface {
	io.WriteCloser
	Sync() error
}

// Journal is an open journal. It has one owner.
type Journal struct {
	path string
	o    Options
	dir  dirOps

	f       file
	at      string // where f lies: path, unless a rotation got stuck half way
	size    int64  // of f
	full    int64  // the size at which rotating is tried
	seq     uint64 // the newest given out
	marked  bool   // f has an entry that Mark named
	broken  bool
	trouble error // of the last rotation
}

// Open opens the journal at path for appending and makes it, and its folder, if it
// is not there.
// A last line that a power cut tore is cut off; damage further up stays where it
// is and [Read] tells of it.
func Open(path string, o Options) (*Journal, error) { return open(path, o, func(Entry) {}) }

// open is Open; each is given every good entry of the open file and of the newest
// closed one. The others are not read: on a small board that takes seconds.
func open(path string, o Options, each func(Entry)) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	_, statErr := os.Lstat(path)
	f, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	o = o.withDefaults()
	j := &Journal{path: path, at: path, o: o, full: o.Size, dir: realDir, f: f}
	if err = regular(f); err == nil {
		j.loadNewest(f, each)
		err = j.load(f, each)
	}
	if err == nil && errors.Is(statErr, os.ErrNotExist) {
		err = syncDir(path)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot open the journal %s: %w", path, err)
	}
	return j, nil
}

// create opens the file at path for reading and appending.
func create(path string) (*os.File, error) {
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o640)
}

// load takes over what the open file holds and cuts off a torn last line.
func (j *Journal) load(f *os.File, each func(Entry)) error {
	end, torn, err := scanEnd(f, func(e Entry) {
		j.seq = max(j.seq, e.Seq)
		j.marked = j.marked || j.o.Mark(e)
		each(e)
	})
	if err == nil && torn {
		err = f.Truncate(end)
	}
	j.size = end
	return err
}

// scanEnd gives each every good entry of f and finds the end of all lines but a
// torn last one, and whether there is a torn one.
func scanEnd(f io.Reader, each func(Entry)) (end int64, torn bool, err error) {
	err = scan(f, func(length int, e Entry, is condition) error {
		if is == whole {
			each(e)
		}
		if torn = is == cutOff; !torn {
			end += int64(length)
		}
		return nil
	})
	return end, torn, err
}

// Append writes one record and returns when it is on disk, with the Seq it got.
// After an error the journal must be closed and opened anew: nobody knows what of
// the line is there.
func (j *Journal) Append(e Entry) (Entry, error) {
	if j.broken {
		return e, fmt.Errorf("cannot write %s: an earlier write failed; open it anew", j.at)
	}
	if j.size >= j.full {
		j.rotate()
	}
	e.Seq = j.seq + 1
	line, err := seal(e)
	if err != nil {
		return e, fmt.Errorf("cannot write the record %q: %w", e.Name, err)
	}
	if _, err = j.f.Write(line); err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		j.broken = true
		return e, fmt.Errorf("cannot write %s: %w", j.at, cause(err))
	}
	j.seq, j.size = e.Seq, j.size+int64(len(line))
	j.marked = j.marked || j.o.Mark(e)
	return e, nil
}

// Trouble says why the open file could not be closed for a new one, or an old one
// not be removed; nil: nothing. Records are written all the same.
func (j *Journal) Trouble() error { return j.trouble }

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// regular refuses what may never answer: pipes, devices, sockets.
func regular(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("it is not a regular file; remove it")
	}
	return nil
}

// syncDir makes a new or renamed file's name last: fsync(2) of a file does not.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
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
