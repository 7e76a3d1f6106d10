package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Journal is an open journal. It has one owner.
type Journal struct {
	path string
	o    Options

	f       File
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
	o = o.withDefaults()
	f, err := create(o.FS, path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	j := &Journal{path: path, at: path, o: o, full: o.Size, f: f}
	err = j.load(each)
	if err == nil {
		// Each time: who made the file may have died before this.
		err = o.FS.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot open the journal %s: %w", path, cause(err))
	}
	return j, nil
}

// create opens the file at path for reading and appending, a new one if there is none.
func create(fsys FS, path string) (File, error) {
	const flag = os.O_RDWR | os.O_APPEND
	f, err := fsys.Open(path, flag, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	// Where a rotation has moved a file away, its old name is gone for good before
	// there is a new file under it: a power cut could leave the new one alone.
	if err := fsys.SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return fsys.Open(path, flag|os.O_CREATE, 0o640)
}

// load takes over what the newest closed file and the open one hold and cuts off a
// torn last line: of the open one, or of the closed one where that is the end of all.
// Both are synced: who wrote them may have been killed before that, and what comes next
// may lie in another file.
func (j *Journal) load(each func(Entry)) error {
	old, oldEnd, oldTorn := j.loadNewest(each)
	if old != nil {
		defer old.Close()
	}
	end, torn, err := scanEnd(j.f, func(e Entry) {
		j.seq = max(j.seq, e.Seq)
		j.marked = j.marked || j.o.Mark(e)
		each(e)
	})
	if err != nil {
		return err
	}
	j.size = end
	if old != nil {
		if oldTorn && end == 0 && !torn {
			_ = old.Truncate(oldEnd)
		}
		_ = old.Sync()
	}
	if torn {
		if err := j.f.Truncate(end); err != nil {
			return err
		}
	}
	return j.f.Sync()
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
