package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Read calls fn with each entry of the journal at path, oldest first, until fn
// returns an error, which Read returns. It may be called while the journal is being
// written. Damaged lines and files that can't be read are left out, and if there
// were any but a torn last line, Read says so at the end: [ErrCorrupt] for the
// lines. A journal that is not there is empty.
func Read(path string, fn func(Entry) error) error {
	r := reading{fn: fn}
	// The open file first, closed ones after: one that is closed in between is seen
	// twice rather than not at all, and told by what it is.
	now, err := openSegment(path, os.O_RDONLY)
	switch {
	case err == nil:
		defer now.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot read the journal %s: %w", path, cause(err))
	}
	old, err := segments(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the journal %s: %w", path, cause(err))
	}
	for _, s := range old {
		if err := r.closed(s.path, now); err != nil {
			return err
		}
	}
	if now != nil {
		if err := r.file(path, now); err != nil {
			return err
		}
	}
	return r.verdict(path)
}

// openSegment opens a file of a journal, closed or not.
func openSegment(path string, flag int) (*os.File, error) {
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := regular(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// reading is one call of Read.
type reading struct {
	fn     func(Entry) error
	torn   bool  // the last line seen has no end
	bad    int   // damaged lines
	failed error // a file that could not be read
}

// closed reads a closed file, unless it is the one that was open a moment ago.
func (r *reading) closed(path string, now *os.File) error {
	f, err := openSegment(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // just removed: it was the oldest
	}
	if err != nil {
		r.fail(path, err)
		return nil
	}
	defer f.Close()
	if now != nil {
		a, errA := f.Stat()
		b, errB := now.Stat()
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return nil
		}
	}
	return r.file(path, f)
}

// file reads one file. The error is fn's.
func (r *reading) file(path string, f *os.File) error {
	var enough error
	err := scan(f, func(_ int, e Entry, is condition) error {
		if r.torn {
			r.bad++ // it has lines below it: not the end of what was written
		}
		if r.torn = is == cutOff; is == damaged {
			r.bad++
		}
		if is == whole {
			enough = r.fn(e)
		}
		return enough
	})
	if enough == nil && err != nil {
		r.fail(path, err)
	}
	return enough
}

func (r *reading) fail(path string, err error) {
	r.failed = fmt.Errorf("cannot read %s of the journal: %w", path, cause(err))
}

// verdict says what was left out.
func (r *reading) verdict(path string) error {
	var bad error
	if r.bad > 0 {
		bad = fmt.Errorf("cannot read %d lines of the journal %s: %w", r.bad, path, ErrCorrupt)
	}
	if r.failed != nil && bad != nil {
		return fmt.Errorf("%w; %w", r.failed, bad)
	}
	if r.failed != nil {
		return r.failed
	}
	return bad
}
