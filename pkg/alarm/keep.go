package alarm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// kept is what the file holds: what waits, by receiver.
type kept struct {
	Waiting map[string][]entry `json:"waiting"`
}

// awaitLoad reads what an earlier run left and waits for it, but not for a disk that
// hangs: the goroutine stays behind, and what it finds is sent when it comes.
func (s *Sender) awaitLoad(ctx context.Context) {
	s.mu.Lock()
	s.loading = time.Now()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.load()
	}()
	t := time.NewTimer(loadPatience)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		s.o.Log.Error("the alarms that wait on disk can't be read: the disk does not answer", "file", s.o.Path)
	case <-ctx.Done():
	}
}

// load reads the file. Nothing is written before that: it would be overwritten unread.
func (s *Sender) load() {
	var old kept
	err := s.read(&old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Log.Error("the alarms that waited are lost", "err", err)
		old = kept{}
	}
	now := time.Now()
	for _, b := range s.boxes {
		if lost := b.restore(old.Waiting[b.id], now); lost > 0 {
			s.o.Log.Error("an alarm is lost: too many wait", "to", b.name, "lost", lost)
		}
		delete(old.Waiting, b.id)
		b.poke()
	}
	for _, rest := range old.Waiting {
		if len(rest) > 0 {
			s.o.Log.Warn("alarms are dropped that waited for somebody who is not told any more", "alarms", len(rest))
		}
	}
	s.mu.Lock()
	s.loading, s.loaded = time.Time{}, true
	s.mu.Unlock()
	s.touch()
}

// keep saves what waits, whenever that changed.
func (s *Sender) keep(ctx context.Context) {
	for {
		select {
		case <-s.changed:
			s.save()
		case <-ctx.Done():
			return
		}
	}
}

// save hands what waits to the file's goroutine. It does not wait for it.
func (s *Sender) save() {
	s.mu.Lock()
	loaded := s.loaded
	s.mu.Unlock()
	if !loaded {
		return
	}
	now := time.Now()
	k := kept{Waiting: map[string][]entry{}}
	for _, b := range s.boxes {
		if all := b.saved(now); len(all) > 0 {
			k.Waiting[b.id] = all
		}
	}
	s.saver.Put(k)
}

// diskTrouble says what is wrong with the file.
func (s *Sender) diskTrouble(now time.Time) error {
	s.mu.Lock()
	since := s.loading
	s.mu.Unlock()
	if !since.IsZero() && now.Sub(since) > loadPatience {
		return fmt.Errorf("cannot read %s: the disk does not answer; alarms are sent, but not those that waited for this start", s.o.Path)
	}
	return s.saver.Err()
}

// Inherit makes s go on where old was, whose Run has returned, whether or not a disk
// took what waits. Call it before Run.
func (s *Sender) Inherit(old *Sender) {
	s.saver.Inherit(old.saver)
	old.mu.Lock()
	loaded := old.loaded
	old.mu.Unlock()
	if loaded {
		return // it is in what old's saver was given
	}
	now := time.Now()
	for _, was := range old.boxes {
		for _, b := range s.boxes {
			if b.id == was.id {
				_ = b.restore(was.saved(now), now) // no more than there was room for
			}
		}
	}
}
