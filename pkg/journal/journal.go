package journal

import (
	"bufio"
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
	path   string
	f      file
	seq    uint64
	broken bool
}

// Open opens the journal at path for appending and makes it, and its folder, if it
// is not there.
// A last line that a power cut tore is cut off; damage further up stays where it
// is and [Read] tells of it.
func Open(path string) (*Journal, error) { return open(path, func(Entry) {}) }

// open is Open; each is given every good entry already there.
func open(path string, each func(Entry)) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	_, statErr := os.Lstat(path)
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	j := &Journal{path: path, f: f}
	end, torn, err := j.load(f, each)
	if err == nil && torn {
		err = f.Truncate(end)
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

// load finds the newest sequence number, the end of all lines but a torn last
// one, and whether there is a torn one.
func (j *Journal) load(f *os.File, each func(Entry)) (end int64, torn bool, err error) {
	if err := regular(f); err != nil {
		return 0, false, err
	}
	last := int64(0) // where the last line begins
	err = scan(f, func(line []byte, e Entry, bad bool) error {
		last, torn = end, bad
		end += int64(len(line))
		if !bad {
			j.seq = max(j.seq, e.Seq)
			each(e)
		}
		return nil
	})
	if torn {
		end = last
	}
	return end, torn, err
}

// Append writes one record and returns when it is on disk, with the Seq it got.
// After an error the journal must be closed and opened anew: nobody knows what of
// the line is there.
func (j *Journal) Append(e Entry) (Entry, error) {
	if j.broken {
		return e, fmt.Errorf("cannot write %s: an earlier write failed; open it anew", j.path)
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
		return e, fmt.Errorf("cannot write %s: %w", j.path, cause(err))
	}
	j.seq = e.Seq
	return e, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// Read calls fn with each entry of the journal at path, oldest first, until fn
// returns an error. It may be called while the journal is being written. Damaged
// lines are left out, and if there were any but a torn last one, Read returns
// [ErrCorrupt] at the end. A journal that is not there is empty.
func Read(path string, fn func(Entry) error) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	defer f.Close()
	if err := regular(f); err != nil {
		return fmt.Errorf("cannot read the journal %s: %w", path, err)
	}
	bad, last := 0, false
	err = scan(f, func(_ []byte, e Entry, damaged bool) error {
		if last {
			bad++ // what looked torn has lines below it
		}
		if last = damaged; damaged {
			return nil
		}
		return fn(e)
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("cannot read %d lines of the journal %s: %w", bad, path, ErrCorrupt)
	}
	return err
}

// scan calls fn with each line, its entry, and whether it is damaged.
func scan(r io.Reader, fn func(line []byte, e Entry, bad bool) error) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			var e Entry
			bad := err != nil || unseal(line, &e) != nil // no newline: torn
			if err := fn(line, e, bad); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

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

// cause strips the path that [os.PathError] repeats.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
