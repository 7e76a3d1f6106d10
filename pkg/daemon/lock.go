package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrRunning says that another instance holds the lock.
var ErrRunning = errors.New("already running")

// lockTimeout bounds the lock on a file system that does not answer.
const lockTimeout = 3 * time.Second

// Lock makes sure that only one instance runs: it holds an exclusive flock(2) on
// the file at path, which it makes with its folder, until release is called or the process ends.
// Held by another, the error is [ErrRunning] with that one's pid. Any other error
// says that the file system does not work, also when it does not answer within
// 3 s: whether to go on without a lock is the caller's choice.
func Lock(path string) (release func(), err error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := lock(path)
		done <- result{f, err}
	}()
	t := time.NewTimer(lockTimeout)
	defer t.Stop()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return func() { _ = r.f.Close() }, nil // the kernel drops the lock with the file
	case <-t.C:
		return nil, fmt.Errorf("cannot lock %s: the file system has not answered for %s; check the disk under %s",
			path, lockTimeout, filepath.Dir(path))
	}
}

// Single is Lock for a program that protects even where the lock's disk doesn't
// work: then it says so and goes on. The only error is [ErrRunning].
func Single(path string, log *slog.Logger) (release func(), err error) {
	release, err = Lock(path)
	if err != nil && !errors.Is(err, ErrRunning) {
		log.Error("running without a lock: a second instance would not be noticed", "err", err)
		return func() {}, nil
	}
	return release, err
}

func lock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot lock: %w", err)
	}
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return nil, fmt.Errorf("%w as pid %s; stop that one first, or give this one a run folder of its own (lock %s)",
			ErrRunning, holder(f), path)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return f, nil
}

// holder reads the pid that the lock's owner wrote.
func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return pid
	}
	return "(unknown)"
}
