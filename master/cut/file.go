package cut

import (
	"errors"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// File makes the seal on disk what is wanted, the newest last, however long the disk
// takes: a write that hung must not leave a seal behind that was taken back meanwhile. Its
// goroutine lives only while there is something to do, and outlives the tasks: a master
// that is being stopped still has to seal.
type File struct {
	fs   journal.FS
	path string

	mu      sync.Mutex // guards what follows; not held while anybody waits
	want    *Seal      // nil: none
	asked   uint64     // how often something was wanted
	done    uint64     // of these, how many the disk has answered
	working bool
	err     error         // of the newest answer
	answer  chan struct{} // closed at each answer
}

// NewFile returns the seal at path, of which nothing is wanted yet.
func NewFile(fsys journal.FS, path string) *File {
	return &File{fs: fsys, path: path, answer: make(chan struct{})}
}

// Path is where it lies.
func (f *File) Path() string { return f.path }

// Load reads what lies there, in the caller's goroutine and for as long as the disk
// takes: see the function [Load].
func (f *File) Load() (Seal, error) { return Load(f.fs, f.path) }

// Set wants the disk to have s; nil: no seal. It never blocks; the number is for Wait.
func (f *File) Set(s *Seal) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.want = s
	f.asked++
	if !f.working {
		f.working = true
		go f.work()
	}
	return f.asked
}

// Wait waits so long for the disk to have what was wanted, or to refuse; what it then
// doesn't know is done all the same.
func (f *File) Wait(n uint64, limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		f.mu.Lock()
		done, err, answer := f.done, f.err, f.answer
		f.mu.Unlock()
		if done >= n {
			return err
		}
		select {
		case <-answer:
		case <-t.C:
			return ErrDiskSilent
		}
	}
}

// ErrDiskSilent is why nobody knows whether the seal is on disk.
var ErrDiskSilent = errors.New("the disk does not answer")

func (f *File) work() {
	for {
		f.mu.Lock()
		want, n := f.want, f.asked
		f.mu.Unlock()
		var err error
		if want == nil {
			err = Remove(f.fs, f.path)
		} else {
			err = Write(f.fs, f.path, *want)
		}
		f.mu.Lock()
		f.done, f.err = n, err
		close(f.answer)
		f.answer = make(chan struct{})
		over := f.asked == n
		f.working = !over
		f.mu.Unlock()
		if over {
			return
		}
	}
}

// Trouble returns why the disk is not as it is wanted; nil: it is, or soon.
func (f *File) Trouble() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
