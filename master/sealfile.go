package master

import (
	"errors"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// sealFile makes the seal on disk what is wanted, the newest last, however long the disk
// takes: a write that hung must not leave a seal behind that was taken back meanwhile. Its
// goroutine lives only while there is something to do, and outlives the tasks: a master
// that is being stopped still has to seal.
type sealFile struct {
	fs   journal.FS
	path string

	mu      sync.Mutex // guards what follows; not held while anybody waits
	want    *cut.Seal  // nil: none
	asked   uint64     // how often something was wanted
	done    uint64     // of these, how many the disk has answered
	working bool
	err     error         // of the newest answer
	answer  chan struct{} // closed at each answer
}

func newSealFile(fsys journal.FS, path string) *sealFile {
	return &sealFile{fs: fsys, path: path, answer: make(chan struct{})}
}

// set wants the disk to have s; nil: no seal. It never blocks; the number is for wait.
func (f *sealFile) set(s *cut.Seal) uint64 {
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

// wait waits so long for the disk to have what was wanted, or to refuse; what it then
// doesn't know is done all the same.
func (f *sealFile) wait(n uint64, limit time.Duration) error {
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
			return errDiskSilent
		}
	}
}

var errDiskSilent = errors.New("the disk does not answer")

func (f *sealFile) work() {
	for {
		f.mu.Lock()
		want, n := f.want, f.asked
		f.mu.Unlock()
		var err error
		if want == nil {
			err = cut.Remove(f.fs, f.path)
		} else {
			err = cut.Write(f.fs, f.path, *want)
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

// trouble returns why the disk is not as it is wanted; nil: it is, or soon.
func (f *sealFile) trouble() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
