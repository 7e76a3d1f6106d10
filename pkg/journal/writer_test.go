package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// running returns a writer on the disk, running until stop is called.
func running(t *testing.T, d *fakeDisk) (w *Writer, stop func()) {
	t.Helper()
	w = NewWriter(WriterOptions{Path: d.path, FS: d.fs(), Boot: "b1", Log: quiet})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	synctest.Wait()
	return w, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// took waits for c and says how long that took.
func took(c <-chan struct{}) time.Duration {
	start := time.Now()
	<-c
	return time.Since(start)
}

func TestARecordIsOnDiskWhenItsChannelCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		w, stop := running(t, d)
		defer stop()
		if k := took(w.Record("phase", 1)); k != 0 {
			t.Errorf("it took %s", k)
		}
		if got := d.written(t); len(got) != 1 {
			t.Errorf("on disk: %v", got)
		}
		if err := w.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestLaw12AFullDiskCostsNothingAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		w, stop := running(t, d)
		defer stop()
		d.set(syscall.ENOSPC, nil)
		if k := took(w.Record("one", 1)); k != 0 {
			t.Errorf("a write that fails at once took %s", k)
		}
		want := "cannot write " + d.path + ": no space left on device; protection goes on, but outages are not recorded"
		if err := w.Err(); err == nil || err.Error() != want {
			t.Errorf("who is let go does not find why: got  %v\nwant %s", err, want)
		}
		took(w.Record("two", 2))
		d.set(nil, nil)
		time.Sleep(retryEvery)
		synctest.Wait()
		if err := w.Err(); err != nil {
			t.Errorf("the disk works again: %v", err)
		}
		took(w.Record("three", 3))
		if got := fmt.Sprint(d.written(t)); got != "[one two three]" {
			t.Errorf("on disk: %v", got)
		}
	})
}

func TestLaw12AHangingDiskCostsOneSecondOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, hang := newFakeDisk(t), make(chan struct{})
		w, stop := running(t, d)
		took(w.Record("zero", 0))
		d.set(nil, hang)
		if k := took(w.Record("one", 1)); k != patience {
			t.Errorf("the first record waited %s, want %s", k, patience)
		}
		for i := range 100 {
			if k := took(w.Record("more", i)); k != 0 {
				t.Fatalf("record %d waited %s for a disk that is known to hang", i, k)
			}
		}
		if err := w.Err(); err == nil || !strings.Contains(err.Error(), "the disk does not answer; protection goes on") {
			t.Errorf("got %v", err)
		}
		d.set(nil, nil)
		close(hang)
		synctest.Wait()
		if err := w.Err(); err != nil {
			t.Errorf("the disk works again: %v", err)
		}
		if got := d.written(t); len(got) != 102 {
			t.Errorf("%d records are on disk", len(got))
		}
		stop()
	})
}

func TestADiskThatHangsAtOpenHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		d := newFakeDisk(t)
		d.set(nil, hang)
		w, stop := running(t, d)
		if k := took(w.Record("one", 1)); k != patience {
			t.Errorf("waited %s", k)
		}
		start := time.Now()
		stop()
		if k := time.Since(start); k > patience {
			t.Errorf("the stop waited %s", k)
		}
		if k := took(w.Record("late", 2)); k != 0 {
			t.Errorf("a record after the end waited %s", k)
		}
		d.set(nil, nil)
		close(hang)
		synctest.Wait()
	})
}

func TestWhatWasRecordedBeforeTheStopIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		d.set(errors.New("full"), nil)
		w, stop := running(t, d)
		took(w.Record("one", 1))
		d.set(nil, nil)
		stop()
		if got := fmt.Sprint(d.written(t)); got != "[one]" {
			t.Errorf("on disk: %v", got)
		}
	})
}

func TestTooManyRecordsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		d.set(errors.New("full"), nil)
		w, stop := running(t, d)
		for i := range queueMax + 7 {
			if k := took(w.Record("phase", i)); k != 0 {
				t.Fatalf("record %d waited %s", i, k)
			}
		}
		if err := w.Err(); err == nil || !strings.HasSuffix(err.Error(), "and too many wait by now, so the newest are lost") {
			t.Errorf("got %v", err)
		}
		d.set(nil, nil)
		time.Sleep(retryEvery)
		synctest.Wait()
		got := d.written(t)
		if len(got) != queueMax+1 || got[queueMax] != DroppedName {
			t.Errorf("%d records are on disk, the last is %q", len(got), got[len(got)-1])
		}
		if e := newest(t, w, 1)[0]; e.Name != DroppedName || string(e.Data) != `{"count":7}` {
			t.Errorf("got %s %s", e.Name, e.Data)
		}
		stop()
	})
}

func TestAValueThatIsNoJSONHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		w, stop := running(t, d)
		defer stop()
		if k := took(w.Record("bad", func() {})); k != 0 || len(d.written(t)) != 0 {
			t.Errorf("waited %s, on disk %v", k, d.written(t))
		}
	})
}

func TestTheWriterOnARealFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	for run := range 2 {
		w := NewWriter(WriterOptions{Path: path, Boot: "b1", Log: quiet, Now: func() time.Duration { return time.Hour }})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-w.Record("phase", map[string]int{"run": run})
		if got := newest(t, w, 1)[0]; got.Seq != uint64(run+1) || got.At != time.Hour || got.Boot != "b1" {
			t.Errorf("got %+v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got, err := read(t, path); err != nil || names(got) != "1 phase, 2 phase" {
		t.Errorf("%s, %v", names(got), err)
	}
}

func TestTheSaverKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		path := filepath.Join(t.TempDir(), "state")
		var saved []string // written while this goroutine waits in the bubble
		var mu sync.Mutex
		var fail error
		failWith := func(err error) { mu.Lock(); defer mu.Unlock(); fail = err }
		s := NewSaver(SaverOptions{Path: path, Cost: "a restart forgets the countdown", Log: quiet, FS: faulty{before: func(op, from string) error {
			<-hang
			mu.Lock()
			defer mu.Unlock()
			var v json.RawMessage
			if op == "rename" && fail == nil && Load(from, &v) == nil {
				saved = append(saved, string(v))
			}
			return fail
		}}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		s.Put(1)
		synctest.Wait()
		s.Put(2)
		s.Put(3)
		time.Sleep(patience)
		want := "cannot write " + path + ": the disk does not answer; protection goes on, but a restart forgets the countdown"
		if err := s.Err(); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		close(hang)
		synctest.Wait()
		if got := strings.Join(saved, " "); got != "1 3" || s.Err() != nil {
			t.Errorf("saved %s, %v", got, s.Err())
		}
		failWith(syscall.EROFS)
		s.Put(4)
		synctest.Wait()
		if s.Err() == nil {
			t.Error("a failed save is not told")
		}
		failWith(nil)
		time.Sleep(retryEvery)
		synctest.Wait()
		if got := strings.Join(saved, " "); got != "1 3 4" || s.Err() != nil {
			t.Errorf("saved %s, %v", got, s.Err())
		}
		s.Put(5)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := strings.Join(saved, " "); got != "1 3 4 5" {
			t.Errorf("saved %s", got)
		}
	})
}

func TestTheSaverOnARealFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := NewSaver(SaverOptions{Path: path, Log: quiet})
	if err := s.Load(new(savedState)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	s.Put(savedState{Phase: "GRACE"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	var got savedState
	if err := s.Load(&got); err != nil || got.Phase != "GRACE" {
		t.Errorf("%v %v", got, err)
	}
}

func TestARecordAfterTheEndHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := running(t, newFakeDisk(t))
		stop()
		if k := took(w.Record("late", 1)); k != 0 {
			t.Errorf("it waited %s", k)
		}
	})
}

func TestWhatCameDuringTheLastWriteIsWrittenToo(t *testing.T) {
	d := newDisk("x", "nothing", quiet)
	ctx, cancel := context.WithCancel(context.Background())
	n, ended := 0, 0
	d.run(ctx, func() error {
		cancel() // as if the stop and a record came while this one was being written
		n++
		return nil
	}, func() { ended = n })
	if ended != n {
		t.Error("it ended before the last look for work")
	}
	if n < 2 {
		t.Error("nobody looked for more work after the stop")
	}
}
