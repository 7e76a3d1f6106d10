package journal

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What a journal takes on disk unless it is told otherwise: 32 MiB, some hundred
// thousand records.
const (
	defaultSize  = 4 << 20
	defaultFiles = 8
)

// Options bound a journal on disk. The zero value is good.
type Options struct {
	// Size is how large a file grows, by one record more at most, before it is
	// closed and a new one begun; 0: 4 MiB.
	Size int64
	// Files is how many files there are at most, the open one included: 3 or more;
	// 0: 8. Too many: the oldest is removed.
	Files int
	// Mark names entries that are worth more than others. A file that has one is
	// removed only when there is no other to remove, so that no flood of small
	// news washes them away. Nil: all are worth the same.
	Mark func(Entry) bool
	// FS is where the files lie; nil: the real disk.
	FS FS
}

func (o Options) withDefaults() Options {
	o.Size = cmp.Or(o.Size, defaultSize)
	o.Files = max(3, cmp.Or(o.Files, defaultFiles))
	o.FS = orReal(o.FS)
	if o.Mark == nil {
		o.Mark = func(Entry) bool { return false }
	}
	return o
}

// A closed file lies beside the open one, under its name with the newest Seq in it
// and, where it has a marked entry, a word: "journal.jsonl.000000004711.keep". The
// name says all that rotating has to know, so that nothing is read then.
const (
	seqDigits = 12
	keepWord  = ".keep"
)

// segment is a closed file.
type segment struct {
	path string
	last uint64 // the newest Seq in it, or more
	keep bool
}

func segmentName(path string, last uint64, keep bool) string {
	name := fmt.Sprintf("%s.%0*d", path, seqDigits, last)
	if keep {
		name += keepWord
	}
	return name
}

// segments returns the closed files of the journal at path, oldest first.
func segments(fsys FS, path string) ([]segment, error) {
	names, err := fsys.List(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, name := range names {
		number, ours := strings.CutPrefix(name, filepath.Base(path)+".")
		number, keep := strings.CutSuffix(number, keepWord)
		last, err := strconv.ParseUint(number, 10, 64)
		if !ours || err != nil {
			continue // somebody else's
		}
		all = append(all, segment{filepath.Join(filepath.Dir(path), name), last, keep})
	}
	slices.SortFunc(all, func(a, b segment) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.path, b.path)) })
	return all, nil
}

// loadNewest takes over what the newest closed file holds and returns it, still open,
// with where its lines end and whether there is a torn one behind them. One that can't
// be read is nil: its name says where Seq goes on.
func (j *Journal) loadNewest(each func(Entry)) (old File, end int64, torn bool) {
	all, err := segments(j.o.FS, j.path)
	if err != nil || len(all) == 0 {
		return nil, 0, false
	}
	newest := all[len(all)-1]
	j.seq = newest.last
	old, err = j.o.FS.Open(newest.path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, false
	}
	end, torn, err = scanEnd(old, func(e Entry) {
		j.seq = max(j.seq, e.Seq)
		each(e)
	})
	if err != nil {
		_ = old.Close()
		return nil, 0, false
	}
	return old, end, torn
}

// rotate closes the open file under a name of its own and begins a new one. A power
// cut at any step leaves all records in files that [Read] and [Open] find: either
// the old names, or no open file, or the new names. Where a step fails, writing
// goes on in the old file, whatever its name is by then, and it is tried again when
// that has grown some more.
func (j *Journal) rotate() {
	f, err := j.begin()
	if err != nil {
		j.trouble = fmt.Errorf("cannot begin a new file of the journal %s: %w; the old one grows", j.path, cause(err))
		j.full = j.size + j.o.Size/16
		return
	}
	_ = j.f.Close() // every record in it was synced
	j.f, j.at, j.size, j.full, j.marked = f, j.path, 0, j.o.Size, false
	if j.trouble = j.prune(); j.trouble != nil {
		j.trouble = fmt.Errorf("cannot remove old files of the journal %s: %w; they take room", j.path, cause(j.trouble))
	}
}

// begin moves the open file away and opens a new one in its place.
func (j *Journal) begin() (File, error) {
	all, err := segments(j.o.FS, j.path)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.path != j.at && s.last >= j.seq {
			j.seq = s.last + 1 // nothing in the open file could be read: no name twice
		}
	}
	name := segmentName(j.path, j.seq, j.marked)
	if err := j.o.FS.Rename(j.at, name); err != nil {
		return nil, err
	}
	j.at = name
	f, err := create(j.o.FS, j.path)
	if err != nil {
		return nil, err
	}
	if err := j.o.FS.SyncDir(filepath.Dir(j.path)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// prune removes what is too much: the oldest that has nothing marked, else the
// oldest; never the newest, which is what just happened.
func (j *Journal) prune() error {
	all, err := segments(j.o.FS, j.path)
	if err != nil {
		return err
	}
	for len(all) > j.o.Files-1 {
		k := max(0, slices.IndexFunc(all[:len(all)-1], func(s segment) bool { return !s.keep }))
		if err := j.o.FS.Remove(all[k].path); err != nil {
			return err
		}
		all = slices.Delete(all, k, k+1)
	}
	return nil
}
