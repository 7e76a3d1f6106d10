package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// entry is a record as a test writes it.
func entry(n int) Entry {
	return Entry{
		Boot: "b1", At: time.Duration(n) * time.Second, Name: fmt.Sprintf("kind-%d", n%2),
		Wall: time.Date(2026, 11, 20, 12, 0, n, 0, time.UTC), Data: json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"a\nb"}`, n)),
	}
}

// write appends the entries first to last to the journal at path.
func write(t *testing.T, path string, first, last int) []Entry {
	t.Helper()
	never := faulty{before: func(string, string) error { return nil }} // without its syncs, of which some tests would make thousands
	j, err := Open(path, Options{FS: never})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var all []Entry
	for n := first; n <= last; n++ {
		e, err := j.Append(entry(n))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func read(t *testing.T, path string) ([]Entry, error) {
	t.Helper()
	var all []Entry
	err := Read(path, func(e Entry) error { all = append(all, e); return nil })
	return all, err
}

func TestWhatWasAppendedIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	want := append(write(t, path, 1, 3), write(t, path, 4, 5)...) // over a restart
	got, err := read(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for i, e := range got {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has seq %d", i, e.Seq)
		}
	}
	if b, _ := os.ReadFile(path); strings.Count(string(b), "\n") != 5 {
		t.Errorf("5 entries are not 5 lines:\n%s", b)
	}
}

func TestAJournalThatIsNotThereIsEmpty(t *testing.T) {
	if got, err := read(t, filepath.Join(t.TempDir(), "none")); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
}

func TestReadStopsWhenItIsToldTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	write(t, path, 1, 3)
	enough, n := errors.New("enough"), 0
	if err := Read(path, func(Entry) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("%d entries, then %v", n, err)
	}
}

// TestLaw12AFileCutAtAnyByteLosesOnlyTheTornLine: whatever a power cut left of the
// file, every whole line is still there and writing goes on.
func TestLaw12AFileCutAtAnyByteLosesOnlyTheTornLine(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	want := write(t, whole, 1, 4)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for cut := range len(b) + 1 {
		path := filepath.Join(dir, "events")
		if err := os.WriteFile(path, b[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		kept := strings.Count(string(b[:cut]), "\n")
		if got, err := read(t, path); err != nil || len(got) != kept {
			t.Fatalf("cut at %d: read %d of %d entries: %v", cut, len(got), kept, err)
		}
		next := write(t, path, 9, 9)
		got, err := read(t, path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if diff := cmp.Diff(append(want[:kept:kept], next...), got); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
		if got[kept].Seq != uint64(kept+1) {
			t.Fatalf("cut at %d: seq goes on with %d", cut, got[kept].Seq)
		}
	}
}

func TestADamagedLineIsLeftOutAndTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	all := write(t, path, 1, 4)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	lines[1] = strings.Replace(lines[1], `"n":2`, `"n":7`, 1) // still JSON
	lines[2] = strings.Repeat("\x00", 20) + "\n"
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := read(t, path)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "cannot read 2 lines") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]Entry{all[0], all[3]}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if next := write(t, path, 5, 5); next[0].Seq != 5 {
		t.Errorf("writing goes on with seq %d", next[0].Seq)
	}
}

func TestAPipeInTheJournalsPlaceIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := Open(path, Options{}); err == nil {
		_ = j.Close()
		t.Error("a pipe was opened as a journal")
	}
	if err := Load(path, new(int)); err == nil {
		t.Error("a pipe was loaded")
	}
	if err := Read(path, func(Entry) error { return nil }); err == nil {
		t.Error("a pipe was read")
	}
}

func TestAfterAFailedWriteTheJournalIsOpenedAnew(t *testing.T) {
	for name, fails := range map[string]string{"full": "write", "no sync": "sync"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events")
			write(t, path, 1, 1)
			bad := false
			j, err := Open(path, Options{FS: faulty{before: func(op, _ string) error {
				if bad && op == fails {
					return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
				}
				return nil
			}}})
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			bad = true
			_, err = j.Append(entry(2))
			if err == nil || !strings.HasPrefix(err.Error(), "cannot write "+path+": ") || strings.Count(err.Error(), "write") != 1 {
				t.Errorf("got %v", err)
			}
			bad = false // the disk works again: what is there of the line is not known
			if _, err := j.Append(entry(3)); err == nil {
				t.Error("the journal went on after half a line")
			}
			write(t, path, 4, 4)
			got, err := read(t, path)
			if err != nil {
				t.Error(err)
			}
			if len(got) < 2 || got[len(got)-1].At != 4*time.Second {
				t.Errorf("got %v", got)
			}
		})
	}
}

type savedState struct {
	Phase string
	Since time.Duration
}

func TestAStateFileIsReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	var got savedState
	if err := Load(path, &got); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	for _, want := range []savedState{{"GRACE", time.Hour}, {"IDLE", 1}} {
		if err := Save(path, want); err != nil {
			t.Fatal(err)
		}
		if err := Load(path, &got); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	if left, _ := filepath.Glob(path + "?*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	// What a crash, or somebody's link, left in the way is not written through.
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Symlink(other, path+".tmp"); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, savedState{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Error("the state went through a link")
	}
}

func TestADamagedStateFileIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := Save(path, savedState{"GRACE", time.Hour}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if i < len(good)-1 { // the newline alone says nothing
			checkCorrupt(t, path, bad, fmt.Sprintf("bit 0 of byte %d", i))
		}
		if i < len(good)-1 {
			checkCorrupt(t, path, good[:i], fmt.Sprintf("cut at %d", i))
		}
	}
	if err := Save(path, "another type"); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, new(savedState)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another type: %v", err)
	}
}

func checkCorrupt(t *testing.T, path string, b []byte, what string) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, new(savedState)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: %v", what, err)
	}
}

func FuzzStateFile(f *testing.F) {
	line, err := seal(envelope{json.RawMessage(`{"Phase":"GRACE","Since":5}`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"data":{},"crc":"00000000"}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s savedState
		if err := decode(b, &s); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := seal(envelope{json.RawMessage(`{}`)})
		if err != nil || decode(again, &s) != nil {
			t.Errorf("%v", err)
		}
	})
}
