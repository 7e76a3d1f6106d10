package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/power"
)

var quiet = slog.New(slog.DiscardHandler)

func passed(t *testing.T, oob []byte) *os.File {
	t.Helper()
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("one descriptor was expected: %v %v", fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), "passed")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestATaskThatFailsStopsTheOthers(t *testing.T) {
	cause := errors.New("no such port")
	stopped := false
	err := Run(context.Background(), quiet,
		Func("line", func(context.Context) error { return cause }),
		Func("hub", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil }),
	)
	if !errors.Is(err, cause) || err.Error() != "line: no such port" {
		t.Errorf("got %v, want the task's error with its name", err)
	}
	if !stopped {
		t.Error("the other task was not cancelled")
	}
}

func TestRunEndsWithItsTasksAndWithItsContext(t *testing.T) {
	if err := Run(context.Background(), quiet, Func("once", func(context.Context) error { return nil })); err != nil {
		t.Errorf("a task with nothing left to do is no error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Run(ctx, quiet, Func("server", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	if err != nil {
		t.Errorf("a cancelled task that says so is no error: %v", err)
	}
}

func TestTheFirstSignalStopsAndSaysWhy(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := spawn(t, "stops", nil)
		p.line()
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		out, err := p.rest()
		want := fmt.Sprintf("signal received: %s true\n", s)
		if err != nil || out != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	}
}

func TestTheSecondSignalKills(t *testing.T) {
	p := spawn(t, "hangs", nil)
	p.line()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if got := p.line(); got != "hanging" {
		t.Fatalf("got %q", got)
	}
	// The first signal's effect may be seen before signal.Stop has run.
	done := make(chan error, 1)
	go func() { _, err := p.rest(); done <- err }()
	for again := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case err := <-done:
			again.Stop()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("got %v, want death by SIGTERM", err)
			}
			return
		case <-again.C:
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}

func TestTheServiceManagerIsTold(t *testing.T) {
	m := newManager(t)
	p := spawn(t, "notify", []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=200000"})
	p.line()
	seen := map[string]int{}
	for seen["READY=1"] == 0 || seen["WATCHDOG=1"] < 3 {
		s, _ := m.next()
		seen[s]++
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	for seen["STOPPING=1"] == 0 {
		s, _ := m.next()
		seen[s]++
	}
	if seen["READY=1"] != 1 {
		t.Errorf("READY=1 was said %d times", seen["READY=1"])
	}
}

func TestReadyWaitsForTheTasks(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	ctx, cancel := context.WithCancel(context.Background())
	err := Run(ctx, quiet, never{}, Func("worker", func(context.Context) error { cancel(); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := m.next(); s != "STOPPING=1" {
		t.Errorf("got %q first, though one task was never ready", s)
	}
}

type never struct{ ready }

func (never) Ready() <-chan struct{} { return nil }

func TestWithoutAServiceManagerNothingIsSaid(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Notify("READY=1"); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := Notify("READY=1"); err == nil {
		t.Error("a service manager that is not there must be an error")
	}
}

func TestADescriptorIsStoredByName(t *testing.T) {
	m := newManager(t)
	path := filepath.Join(t.TempDir(), "port")
	if err := os.WriteFile(path, []byte("the port"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, "store", []string{"NOTIFY_SOCKET=" + m.path}, path)
	msg, f := m.next()
	if want := "FDSTORE=1\nFDNAME=ups-main\nFDPOLL=0"; msg != want {
		t.Errorf("got %q, want %q", msg, want)
	}
	if f == nil {
		t.Fatal("no descriptor came")
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "the port" {
		t.Errorf("another file came: %q %v", b, err)
	}
	if out, err := p.rest(); err != nil {
		t.Errorf("%s %v", out, err)
	}
	for _, name := range []string{"", "a:b", "a\nb", "ü", strings.Repeat("x", 256)} {
		if err := StoreFD(name, f); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

func TestStoredDescriptorsComeBackByName(t *testing.T) {
	dir := t.TempDir()
	// sh makes LISTEN_PID right: exec keeps the pid.
	script := `LISTEN_PID=$$ exec "$0" 3<a 4<b 5<c`
	run := func(env ...string) string {
		cmd := exec.Command("/bin/sh", "-c", script, os.Args[0])
		cmd.Dir = dir
		cmd.Env = append([]string{childVar + "=stored", "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + dir}, env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("file "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := run("LISTEN_FDS=3", "LISTEN_FDNAMES=ups-main:ups-main:other")
	for _, want := range []string{"ups-main file b <nil> closed\n", "other file c <nil> closed\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "file a") {
		t.Errorf("the older of two descriptors came back:\n%s", got)
	}
	script = `LISTEN_PID=1 exec "$0" 3<a`
	if got := run("LISTEN_FDS=1", "LISTEN_FDNAMES=ups-main"); got != "" {
		t.Errorf("another process's descriptors were taken: %q", got)
	}
}

func TestOnlyOneInstanceRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "lock") // the folder is made
	p := spawn(t, "lock", nil, path)
	p.line()
	_, err := Lock(path)
	if !errors.Is(err, ErrRunning) || !strings.HasPrefix(fmt.Sprint(err), "already running as pid "+strconv.Itoa(p.cmd.Process.Pid)+";") {
		t.Errorf("got %v", err)
	}
	_ = p.cmd.Process.Kill() // a crash leaves the file, and the file alone locks nobody out
	_, _ = p.rest()
	release, err := Lock(path)
	if err != nil {
		t.Fatalf("the lock of a dead process holds: %v", err)
	}
	if _, err := Single(path, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrRunning) {
		t.Errorf("two of one process: %v", err)
	}
	release()
	if release, err = Lock(path); err != nil {
		t.Errorf("released and not free: %v", err)
	} else {
		release()
	}
}

func TestALockThatCannotBeTakenIsNotARunningInstance(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(fifo, "lock"), dir, fifo} {
		if release, err := Lock(path); err == nil {
			release()
			t.Errorf("%s was locked", path)
		} else if errors.Is(err, ErrRunning) {
			t.Errorf("%s: %v", path, err)
		}
		var said bytes.Buffer
		release, err := Single(path, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil || !strings.Contains(said.String(), "running without a lock") {
			t.Fatalf("%s: a disk that doesn't work keeps the program from running: %v, log %q", path, err, said.String())
		}
		release()
	}
}

func TestTheClockCountsTimeAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asleep, good := 10*time.Second, true
		c := newClock(power.Uptime(time.Hour), func() (time.Duration, bool) { return asleep, good })
		want := func(d time.Duration) {
			t.Helper()
			if got := c.Now().Sub(power.Uptime(time.Hour)); got != d {
				t.Errorf("%s after the start, want %s", got, d)
			}
		}
		want(0)
		time.Sleep(3 * time.Second)
		want(3 * time.Second)
		asleep += 40 * time.Second
		want(43 * time.Second)
		asleep -= time.Second // noise of the reading
		want(43 * time.Second)
		asleep += time.Second + 20*time.Millisecond
		want(43 * time.Second)
		asleep, good = asleep+time.Hour, false // a reading that is no good
		want(43 * time.Second)
	})
}

func TestAResumeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asleep := make(chan time.Duration, 1)
		asleep <- 0
		c := newClock(0, func() (time.Duration, bool) { d := <-asleep; asleep <- d; return d, true })
		set := func(d time.Duration) { <-asleep; asleep <- d }
		var told []time.Duration
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- c.Watch(func(d time.Duration) { told = append(told, d) }).Run(ctx) }()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		set(500 * time.Millisecond)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if told != nil {
			t.Errorf("half a second was told: %v", told)
		}
		set(time.Minute)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(told) != 1 || told[0] != time.Minute {
			t.Errorf("told %v, want one minute within a second", told)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestTheRealClockIsTheKernels(t *testing.T) {
	c := NewClock()
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Now().Sub(0) - time.Duration(seconds*float64(time.Second)); d.Abs() > 2*time.Second {
		t.Errorf("the clock is %s from /proc/uptime", d)
	}
	for last := c.Now(); last < c.Now().Add(-time.Millisecond); {
		if now := c.Now(); now < last {
			t.Fatalf("the clock went back by %s", last.Sub(now))
		}
	}
	id, err := BootID()
	again, _ := BootID()
	if err != nil || id == "" || id != again {
		t.Errorf("boot id %q, then %q: %v", id, again, err)
	}
}

// stuckWriter takes nothing until it is opened.
type stuckWriter struct {
	open chan struct{}
	buf  bytes.Buffer
}

func (w *stuckWriter) Write(p []byte) (int, error) { <-w.open; return w.buf.Write(p) }

func TestLaw10AReaderOfTheLogWhoHangsHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuckWriter{open: make(chan struct{})}
		log := slog.New(patient(w, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }))
		start := time.Now()
		for i := range 2 * logQueue {
			log.Info("line", "i", i)
		}
		if d := time.Since(start); d > 2*logPatience {
			t.Errorf("%d lines took their callers %s", 2*logQueue, d)
		}
		close(w.open)
		synctest.Wait()
		log.Info("after")
		synctest.Wait()
		out := w.buf.String()
		for _, want := range []string{"i=0\n", "i=1000\n", "msg=\"log lines were lost while nobody took them\" count=1023", "msg=after"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in the log", want)
			}
		}
	})
}

func TestTheLoggerFitsItsReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", "1:2") // inherited from a parent: not this stream
	NewLogger(w).Info("hello", "time", "mine")
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	NewLogger(w).Info("hello", "who", "you")
	_ = w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if !strings.HasPrefix(lines[0], `{"time":"2`) {
		t.Errorf("no time outside journald: %s", lines[0])
	}
	if lines[1] != `{"level":"INFO","msg":"hello","who":"you"}` {
		t.Errorf("under journald: %s", lines[1])
	}
}
