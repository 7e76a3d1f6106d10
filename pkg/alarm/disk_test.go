package alarm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLaw10ADiskThatRefusesCostsARestart: a full or read-only disk keeps nothing from
// being sent.
func TestLaw10ADiskThatRefusesCostsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, filepath.Join(file, "q"), one).run()
		defer r.stop()
		r.put("fail", "1")
		time.Sleep(time.Second)
		r.want("0s a 1")
		if err := r.s.Err(); err == nil || !strings.HasPrefix(err.Error(), "cannot save "+file) || !strings.HasSuffix(err.Error(), "a restart forgets the alarms that wait") {
			t.Error(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.problem("")
	})
}

// TestLaw10ADiskThatHangsCostsWhatIsOnIt: new messages wait for it 1 s, and nothing is
// written over what could not be read yet.
func TestLaw10ADiskThatHangsCostsWhatIsOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		old := newRig(t, path, one)
		old.set("*", errDown)
		old.run()
		old.put("fail", "old")
		synctest.Wait()
		old.stop()

		r := newRig(t, path, one)
		free := make(chan struct{})
		read := r.s.read
		r.s.read = func(v any) error { <-free; return read(v) }
		r.put("fail", "new")
		r.run()
		time.Sleep(10 * time.Second)
		r.want("1s a new")
		r.problem("cannot read " + path + ": the disk does not answer; alarms are sent, but not those that waited for this start")
		r.set("*", errDown)
		r.put("fail", "newer")
		r.want("10s a newer FAILED")

		r.stop() // with the disk hanging, and then one that works
		r = newRig(t, path, one).run()
		r.want("0s a old")
		r.stop()
		close(free)
	})
}

// TestAKilledDaemonForgetsNothing: what waits is on disk without a stop, and what was
// sent no longer.
func TestAKilledDaemonForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		r := newRig(t, path, one)
		r.set("*", errDown)
		r.run()
		defer r.stop()
		onDisk := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			b, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(b), `"title":"a  b"`) != want {
				t.Errorf("%s: %s, %v", when, b, err)
			}
		}
		r.put("fail", "a\r\nb")
		onDisk("put", true)
		r.set("*", nil)
		time.Sleep(firstWait)
		onDisk("sent", false)
	})
}

func TestLaw10TheNextOneGoesOnWithoutADisk(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(file, "q")
			free := make(chan struct{})
			old := newRig(t, path, two)
			old.set("*", errDown)
			if hangs {
				old.s.read = func(any) error { <-free; return os.ErrNotExist }
			}
			old.run()
			old.put("fail", "old")
			time.Sleep(2 * time.Second)
			old.stop()
			r := newRig(t, path, one)
			r.s.Inherit(old.s)
			r.run()
			time.Sleep(2 * time.Second)
			r.want("0s a old")
			r.stop()
			close(free)
		})
	}
}

func TestADamagedQueueIsSaidAndLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		if err := os.WriteFile(path, []byte(`{"data":{},"crc":"00000000"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, path, one).run()
		r.put("fail", "1")
		r.want("0s a 1")
		time.Sleep(time.Second)
		r.problem("")
		r.stop()
	})
}

func TestTheFileHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		r := newRig(t, path, "[[alarm]]\nto = 'https://bob:s3cret@example.com/s3cret?s3cret'\n[[alarm]]\nto = 'ntfy://:s3cret@h/s3cret'\n")
		r.set("*", errDown)
		r.run()
		r.put("fail", "waits")
		time.Sleep(time.Second)
		r.stop()
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), "waits") || strings.Contains(string(b), "s3cret") {
			t.Errorf("%s, %v", b, err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st.Mode(), err)
		}
	})
}

func TestWithoutAlarmsNothingIsTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q")
	r := newRig(t, path, "")
	r.put("fail", "nobody")
	if err := r.s.Run(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := r.s.Test(context.Background())
	if _, statErr := os.Stat(path); len(got) != 0 || err != nil || statErr == nil || r.s.Err() != nil {
		t.Error(got, err, statErr, r.s.Err())
	}
}
