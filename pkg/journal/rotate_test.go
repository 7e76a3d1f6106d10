package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small makes files of two or three of the tests' records.
var small = Options{Size: 300, Files: 4}

// appendTo appends the entries first to last to an open journal.
func appendTo(t *testing.T, j *Journal, first, last int) []Entry {
	t.Helper()
	var all []Entry
	for n := first; n <= last; n++ {
		e, err := j.Append(entry(n))
		if err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
		all = append(all, e)
	}
	return all
}

func mustOpen(t *testing.T, path string, o Options) *Journal {
	t.Helper()
	j, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// files returns the names of the journal's files, closed ones first.
func files(t *testing.T, path string) (names []string) {
	t.Helper()
	all, err := segments(realFS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		names = append(names, filepath.Base(s.path))
	}
	if _, err := os.Stat(path); err == nil {
		names = append(names, filepath.Base(path))
	}
	return names
}

func TestAFullFileIsClosedAndTheOldestRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	var want []Entry
	for n := 1; n <= 40; n += 5 { // over restarts
		j := mustOpen(t, path, small)
		want = append(want, appendTo(t, j, n, n+4)...)
		if err := j.Trouble(); err != nil {
			t.Error(err)
		}
		_ = j.Close()
	}
	got, err := read(t, path)
	if err != nil {
		t.Error(err)
	}
	if len(got) < 6 || len(got) > 12 {
		t.Fatalf("%d records are kept", len(got))
	}
	if diff := cmp.Diff(want[len(want)-len(got):], got); diff != "" {
		t.Errorf("not the newest, or not in order (-want +got):\n%s", diff)
	}
	if got[len(got)-1].Seq != 40 {
		t.Errorf("the newest has seq %d", got[len(got)-1].Seq)
	}
	names := files(t, path)
	if len(names) != 4 || names[3] != "events" || !strings.HasPrefix(names[0], "events.0000000000") {
		t.Errorf("files %q", names)
	}
	for _, n := range names {
		if st, err := os.Stat(filepath.Join(filepath.Dir(path), n)); err != nil || st.Size() > small.Size+200 {
			t.Errorf("%s: %v %v", n, st.Size(), err)
		}
	}
}

func TestNoiseDoesNotWashMarkedEntriesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	o := small
	o.Mark = func(e Entry) bool { return e.At.Seconds() == 3 || e.At.Seconds() == 50 }
	j := mustOpen(t, path, o)
	appendTo(t, j, 1, 4)
	_ = j.Close()
	j = mustOpen(t, path, o) // what is in the open file counts after a restart too
	appendTo(t, j, 5, 100)
	kept := func() (at []float64) {
		got, err := read(t, path)
		if err != nil {
			t.Error(err)
		}
		for _, e := range got {
			at = append(at, e.At.Seconds())
		}
		return at
	}
	if at := kept(); !slices.Contains(at, 3) || !slices.Contains(at, 50) || !slices.Contains(at, 100) || slices.Contains(at, 80) || len(files(t, path)) != 4 {
		t.Errorf("kept %v in %q", at, files(t, path))
	}
	j.o.Mark = func(Entry) bool { return true }
	appendTo(t, j, 101, 140)
	_ = j.Close()
	if at := kept(); slices.Contains(at, 3) || slices.Contains(at, 50) || !slices.Contains(at, 140) || len(files(t, path)) != 4 {
		t.Errorf("kept %v in %q", at, files(t, path))
	}
}

// twoFiles returns the bytes of a closed file and the open one, and what they hold.
func twoFiles(t *testing.T) (closed string, old, now []byte, all []Entry) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events")
	j := mustOpen(t, path, small)
	all = appendTo(t, j, 1, 5)
	_ = j.Close()
	names := files(t, path)
	if len(names) != 2 {
		t.Fatalf("files %q", names)
	}
	old, err := os.ReadFile(filepath.Join(filepath.Dir(path), names[0]))
	if err != nil {
		t.Fatal(err)
	}
	if now, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return names[0], old, now, all
}

// lay writes two files as a journal; now nil: there is no open file.
func lay(t *testing.T, dir, closed string, old, now []byte) (path string) {
	t.Helper()
	path = filepath.Join(dir, "events")
	if err := os.WriteFile(filepath.Join(dir, closed), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if now == nil {
		_ = os.Remove(path)
	} else if err := os.WriteFile(path, now, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLaw12TwoFilesCutAtAnyByteLoseOnlyTheTornLine: whatever a power cut left, every
// whole line before the cut is still there and writing goes on.
func TestLaw12TwoFilesCutAtAnyByteLoseOnlyTheTornLine(t *testing.T) {
	closed, old, now, all := twoFiles(t)
	both := append(slices.Clone(old), now...)
	dir := t.TempDir()
	for cut := range len(both) + 1 {
		var path string
		if cut < len(old) {
			path = lay(t, dir, closed, old[:cut], nil)
		} else {
			path = lay(t, dir, closed, old, both[len(old):cut])
		}
		kept := all[:strings.Count(string(both[:cut]), "\n")]
		if got, err := read(t, path); err != nil || len(got) != len(kept) {
			t.Fatalf("cut at %d: read %d of %d entries: %v", cut, len(got), len(kept), err)
		}
		next := write(t, path, 9, 9)
		got, err := read(t, path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if diff := cmp.Diff(append(slices.Clone(kept), next...), got); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
		given := max(len(kept), strings.Count(string(old), "\n")) // the closed file's name says so
		if next[0].Seq != uint64(given+1) {
			t.Fatalf("cut at %d: seq goes on with %d after %d", cut, next[0].Seq, given)
		}
	}
}

// TestAnyFlippedBitCostsOneRecord: wherever a disk forgets a bit, that record is
// left out and told, and the others stay.
func TestAnyFlippedBitCostsOneRecord(t *testing.T) {
	closed, old, now, all := twoFiles(t)
	both := append(slices.Clone(old), now...)
	dir := t.TempDir()
	for i := range len(both) {
		for _, bit := range []int{0, 3, 7} {
			bad := slices.Clone(both)
			bad[i] ^= 1 << bit
			path := lay(t, dir, closed, bad[:len(old)], bad[len(old):])
			hit := strings.Count(string(both[:i]), "\n") // the record that the bit is in
			last := i == len(both)-1
			got, err := read(t, path)
			if !last && !errors.Is(err, ErrCorrupt) { // the very last: as if it was torn
				t.Fatalf("bit %d of byte %d: told %v", bit, i, err)
			}
			others := slices.DeleteFunc(slices.Clone(all), func(e Entry) bool { return e.Seq == all[hit].Seq })
			if both[i] == '\n' && i != len(old)-1 && !last {
				others = all // only the end of the line was hit, and another begins there
			}
			if diff := cmp.Diff(others, got); diff != "" {
				t.Fatalf("bit %d of byte %d (-want +got):\n%s", bit, i, diff)
			}
			if bit != 3 {
				continue // each costs a sync
			}
			next := write(t, path, 9, 9)
			if got, _ = read(t, path); len(got) != len(others)+1 || got[len(got)-1].Seq != next[0].Seq {
				t.Fatalf("bit %d of byte %d: the next record is not read", bit, i)
			}
		}
	}
}

func TestARotationThatFailsLosesNothing(t *testing.T) {
	full := &os.LinkError{Op: "rename", Err: syscall.ENOSPC}
	for name, fails := range map[string]struct {
		op    string
		after bool // only once there is a new file
	}{
		"rename":       {op: "rename"},
		"first sync":   {op: "sync folder"},
		"create":       {op: "create"},
		"second sync":  {op: "sync folder", after: true},
		"remove":       {op: "remove"},
		"a crash then": {op: "create"},
	} {
		t.Run(name, func(t *testing.T) {
			bad, path := false, filepath.Join(t.TempDir(), "events")
			disk := faulty{before: func(op, _ string) error {
				if !bad || op != fails.op {
					return nil
				}
				if _, err := os.Stat(path); fails.after && err != nil {
					return nil
				}
				return full
			}}
			o := small
			o.Files, o.FS = 100, disk
			if name == "remove" {
				o.Files = 3
			}
			j := mustOpen(t, path, o)
			want := appendTo(t, j, 1, 2)
			bad = true
			want = append(want, appendTo(t, j, 3, 12)...)
			if err := j.Trouble(); err == nil || !strings.Contains(err.Error(), "files of the journal "+path+": ") && !strings.Contains(err.Error(), "file of the journal "+path+": ") {
				t.Errorf("trouble %v", err)
			}
			compare(t, path, want)
			bad = false
			if strings.HasPrefix(name, "a crash") {
				_ = j.Close()
				j = mustOpen(t, path, o)
			}
			j.o.Files = 100
			want = append(want, appendTo(t, j, 13, 30)...)
			if err := j.Trouble(); err != nil {
				t.Errorf("it works again, and yet %v", err)
			}
			_ = j.Close()
			compare(t, path, want)
			if got, err := os.Stat(path); err != nil || got.Size() > small.Size+200 {
				t.Errorf("the open file: %v %v", got, err)
			}
		})
	}
}

func compare(t *testing.T, path string, want []Entry) {
	t.Helper()
	got, err := read(t, path)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read) in %q:\n%s", files(t, path), diff)
	}
}

// TestLaw12ACrashAtAnyStepOfARotation: the daemon dies after each step, and the next
// one finds everything.
func TestLaw12ACrashAtAnyStepOfARotation(t *testing.T) {
	type dead struct{}
	for steps := range 6 {
		path := filepath.Join(t.TempDir(), "events")
		left := math.MaxInt
		o := small
		o.FS = faulty{before: func(op, _ string) error {
			if op == "write" || op == "sync" {
				return nil
			}
			if left--; left < 0 {
				panic(dead{})
			}
			return nil
		}}
		j := mustOpen(t, path, o)
		want := appendTo(t, j, 1, 2)
		left = steps
		func() {
			defer func() { _ = recover() }()
			for n := 3; n < 6; n++ {
				e, err := j.Append(entry(n))
				if err != nil {
					t.Error(err)
				}
				want = append(want, e)
			}
		}()
		if steps < 5 && len(want) == 5 {
			t.Errorf("%d steps: nobody died", steps)
		}
		_ = j.f.Close()
		compare(t, path, want)
		want = append(want, write(t, path, 7, 8)...)
		compare(t, path, want)
		if got := want[len(want)-1].Seq; got != uint64(len(want)) {
			t.Errorf("%d steps: seq goes on to %d after %d records", steps, got, len(want))
		}
	}
}

func TestReadingWhileAFileIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	j := mustOpen(t, path, small)
	defer func() { _ = j.Close() }()
	want := appendTo(t, j, 1, 5)
	var got []Entry
	err := Read(path, func(e Entry) error {
		if got = append(got, e); len(got) == 1 {
			appendTo(t, j, 6, 20) // rotates, and removes what is being read
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if len(got) < len(want) {
		t.Fatalf("read %d of the %d that were there before", len(got), len(want))
	}
	for i, e := range got {
		if e.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i+1, e.Seq)
		}
	}
}

func TestWhatIsNotAFileOfTheJournalIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	for _, name := range []string{".tmp", ".1x", ".keep", ".000000000001.bak", "x"} {
		if err := os.WriteFile(path+name, []byte("mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(path+".000000000007", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path+".000000000008", 0o600); err != nil {
		t.Fatal(err)
	}
	compare(t, path, write(t, path, 1, 3))
}

func TestTheWriterTellsThatItsFileGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	j := mustOpen(t, path, Options{})
	big := entry(1)
	big.Data = fmt.Appendf(nil, "%q", strings.Repeat("x", defaultSize))
	if _, err := j.Append(big); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	w := NewWriter(WriterOptions{Path: path, Boot: "b1", Log: quiet, FS: faulty{before: func(op, _ string) error {
		if op == "rename" {
			return syscall.EACCES
		}
		return nil
	}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for i := range 9 {
		<-w.Record("more", fmt.Sprint(i))
	}
	want := "cannot begin a new file of the journal " + path + ": permission denied; the old one grows"
	if err := w.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, err := read(t, path); err != nil || len(got) != 10 {
		t.Errorf("%d records are on disk: %v", len(got), err)
	}
}

func BenchmarkReadAFullJournal(b *testing.B) {
	path := filepath.Join(b.TempDir(), "events")
	var line []byte
	text := strings.Repeat("x", 120)
	for s := range 8 {
		var file []byte
		for n := 1; len(file) < defaultSize; n++ {
			e := entry(n)
			e.Seq, e.Data = uint64(s*100000+n), fmt.Appendf(nil, `{"on":"node/web1","kind":"link","text":%q}`, text)
			var err error
			if line, err = seal(e); err != nil {
				b.Fatal(err)
			}
			file = append(file, line...)
		}
		name := segmentName(path, uint64(s*100000+99999), false)
		if s == 7 {
			name = path
		}
		if err := os.WriteFile(name, file, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(8 * defaultSize)
	n := 0
	for b.Loop() {
		n = 0
		if err := Read(path, func(Entry) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n), "records")
}
