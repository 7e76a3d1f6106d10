package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Read calls fn with each entry of the journal at path, oldest first, until fn
// returns an error, which Read returns. It may be called while the journal is being
// written. Damaged lines and files that can't be read are left out, and if there
// were any but a torn last line, Read says so at the end: [ErrCorrupt] for the
// lines. A journal that is not there is empty.
func Read(path string, fn func(Entry) error) error { return readOn(realFS{}, path, fn) }

func readOn(fsys FS, path string, fn func(Entry) error) error {
	r := reading{fsys: fsys, fn: fn}
	// The open file first, closed ones after: one that is closed in between is seen
	// twice rather than not at all, and told by what it is.
	now, err := fsys.Open(path, os.O_RDONLY, 0)
	switch {
	case err == nil:
		defer now.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot read the journal %s: %w", path, cause(err))
	}
	old, err := segments(fsys, path)
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

// reading is one call of Read.
type reading struct {
	fsys   FS
	fn     func(Entry) error
	torn   bool  // the last line seen has no end
	bad    int   // damaged lines
	failed error // a file that could not be read
}

// closed reads a closed file, unless it is the one that was open a moment ago.
func (r *reading) closed(path string, now File) error {
	f, err := r.fsys.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // just removed: it was the oldest
	}
	if err != nil {
		r.fail(path, err)
		return nil
	}
	defer f.Close()
	if now != nil && r.fsys.Same(f, now) {
		return nil
	}
	return r.file(path, f)
}

// file reads one file. The error is fn's.
func (r *reading) file(path string, f File) error {
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
