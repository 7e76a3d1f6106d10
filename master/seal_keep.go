package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Run keeps the seal true while there is one, and sees to it that there is none when
// there is to be none, until ctx ends. What stands then stays.
func (s *seals) Run(ctx context.Context) error {
	s.find(ctx)
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		s.look()
		s.lifted(ctx, false)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// String names the task.
func (s *seals) String() string { return "seal" }

// find looks for a seal that an earlier run left. One of this boot may be of a power-off
// that was accepted; anything else lets nothing, is told and removed.
func (s *seals) find(ctx context.Context) {
	type found struct {
		seal cut.Seal
		err  error
	}
	is := make(chan found, 1)
	go func() {
		seal, err := s.file.Load()
		if err == nil {
			err = seal.Check(cut.Here{Boot: s.boot, Now: s.hub.now(), UPS: Wired(Config{UPS: s.ups})})
		}
		is <- found{seal, err}
	}()
	t := time.NewTimer(loadLimit)
	defer t.Stop()
	var f found
	select {
	case f = <-is:
	case <-t.C:
		f.err = cut.ErrDiskSilent
	case <-ctx.Done():
		return
	}
	s.mu.Lock()
	s.begun = s.hub.now()
	busy := s.trying > 0 || s.taken
	switch {
	case busy || errors.Is(f.err, cut.ErrNone):
	case f.err == nil:
		s.adopted = &f.seal
	case !errors.Is(f.err, cut.ErrDiskSilent):
		s.refused = f.err
	}
	s.mu.Unlock()
	if !busy && f.err != nil && !errors.Is(f.err, cut.ErrNone) {
		s.log.Error("a seal was left over and is removed", "err", f.err)
		s.file.Set(nil) // look tries again
	}
}

// look makes the seal what it is to be now.
func (s *seals) look() {
	s.mu.Lock()
	now := s.hub.now()
	if s.adopted != nil && s.trying == 0 && !s.taken {
		switch {
		case s.hub.hostDone():
			s.taken, s.seal = true, s.adopted
		case now.Sub(s.begun) < sealSettle:
			s.mu.Unlock()
			return
		}
	}
	removed := s.adopted != nil && s.seal == nil
	s.adopted = nil
	put := removed || s.file.Trouble() != nil
	if s.taken && s.trying == 0 && s.seal != nil && !now.Before(s.seal.Expires) {
		s.taken, s.seal, put = false, nil, true // it was accepted, and the machine has not gone
	}
	if s.seal != nil {
		next, _ := s.make(s.seal)
		if moved(*s.seal, next) {
			s.seal, put = &next, true
		}
	}
	if put {
		s.put()
	}
	s.mu.Unlock()
}

// put wants the disk to have what is now to be there. s.mu is held.
func (s *seals) put() uint64 {
	var cuts []cut.Sealed
	if s.seal == nil || len(s.seal.UPS) == 0 {
		s.cuts(cuts)
		return s.file.Set(nil)
	}
	for _, u := range s.seal.UPS {
		if !never(u, s.hub.now()) {
			cuts = append(cuts, u)
		}
	}
	s.cuts(cuts)
	return s.file.Set(s.seal)
}

// before is told what a UPS says before anybody else is: where its outage is over and a
// seal stands, that lets it be cut no more before the nodes hear that they may stay up.
// Who waits for the disk here waits 1 s at most.
func (s *seals) before(ups string, is power.State) {
	s.mu.Lock()
	n := uint64(0)
	if s.seal != nil && !is.Known().OnBattery() {
		for _, u := range s.seal.UPS {
			if u.Name == ups && u.Outage != is.Outage && !slices.Contains(s.back, u.Outage) {
				s.back = append(s.back, u.Outage)
				next, _ := s.make(s.seal)
				s.seal = &next
				n = s.put()
				break
			}
		}
	}
	s.mu.Unlock()
	if n == 0 {
		return
	}
	if err := s.file.Wait(n, sealLimit); err != nil {
		s.log.Error("power is back, and the seal still lets the load be cut", "err", err)
	}
}

// moved reports whether b says anything new after a that matters within the margin that
// everybody has.
func moved(a, b cut.Seal) bool {
	if len(a.UPS) != len(b.UPS) {
		return true
	}
	for i := range a.UPS {
		if b.UPS[i].NotBefore.Sub(a.UPS[i].NotBefore) > sealEvery {
			return true
		}
	}
	return false
}

// trouble says what is wrong with the seal; nil: nothing.
func (s *seals) trouble() error {
	s.mu.Lock()
	refused, seal := s.refused, s.seal
	s.mu.Unlock()
	switch err := s.file.Trouble(); {
	case err != nil && seal != nil:
		return fmt.Errorf("the load will stay on when this host is off: %w; make room for %s, or mend the disk", err, s.file.Path())
	case err != nil:
		return fmt.Errorf("it can't be removed: %w; remove %s by hand", err, s.file.Path())
	case refused != nil:
		return fmt.Errorf("%w; it was removed, and nothing was cut by it: look whether everybody came back", refused)
	}
	return nil
}
