package master

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

const (
	// endWait is how long the host waits for those to commit who heard that it goes.
	endWait = 10 * time.Second
	// endPoll is how often it looks whether they have.
	endPoll = 100 * time.Millisecond
	// backWait is how long a power-off that the power has overtaken waits to be cancelled.
	backWait = 5 * time.Second
	// liftLimit and sealLimit bound what comes before the power-off: neither that systemd
	// is busy nor that a disk hangs is a reason not to go. Together with endWait they leave
	// most of a power-off's 40 s to the method.
	liftLimit = 3 * time.Second
	sealLimit = time.Second
	// sealSpare is for how long after the last node's end, and this host's own, the seal
	// still lets the late unit begin.
	sealSpare = 15 * time.Minute
	// sealNever is how far off the moment is before which a UPS isn't cut that must not be:
	// the late unit waits for the mains then, and reboots.
	sealNever = 365 * 24 * time.Hour
	// sealEvery is how often a seal is looked at that stands.
	sealEvery = time.Second
	// sealSettle is how long a seal that is found at the start may be this boot's own: in
	// that time the host's node has read where it was.
	sealSettle = 5 * time.Second
	// kindSeal is the kind of event that tells of it.
	kindSeal = "seal"
)

// errPowerBack is why a power-off is not asked for.
var errPowerBack = errors.New("power is back")

// seals is this master's seal: the decision that lets the late unit cut the load. There is
// one while a power-off is asked for because of the power, and after it was accepted; at
// no other time.
//
// Once it was accepted the host can't stay up any more. The seal is then kept when the
// power is back, but lets nothing be cut: with it the late unit reboots, without it the
// host would stay halted.
type seals struct {
	hub   *hub
	ups   []UPS
	boot  string
	log   *slog.Logger
	file  *cut.File
	lift  func(ctx context.Context, on bool) error
	event func(kind, text string)
	cuts  func(ups []cut.Sealed) // is told which UPSes are sealed to be cut

	lifting chan struct{} // of size one: held by who changes the job timeout

	mu       sync.Mutex // guards what follows; not held while anybody waits
	trying   int        // power-offs because of the power that are under way
	taken    bool       // one was accepted
	seal     *cut.Seal  // the newest; nil: there is to be none
	back     []string   // outages that are over, though the hub may not know it yet
	isLifted bool       // the job timeout may be lifted
	begun    power.Uptime
	adopted  *cut.Seal // found at the start, and maybe this host's own
	refused  error     // what was found at the start and is no good
}

// sealing seals before it powers off.
type sealing struct {
	shutdown.Executor
	s *seals
}

var (
	_ shutdown.Executor = sealing{}
	_ shutdown.Advisor  = sealing{}
)

// PowerOff seals, if it is the power that makes this host go, and powers off.
func (x sealing) PowerOff(ctx context.Context) error { return x.s.powerOff(ctx, x.Executor) }

// Advise is what the method itself advises.
func (x sealing) Advise(ctx context.Context, stopTime time.Duration) error {
	if a, ok := x.Executor.(shutdown.Advisor); ok {
		return a.Advise(ctx, stopTime)
	}
	return nil
}

// sealed returns a chain that seals; in a dry run nothing is cut.
func (m *Master) sealed(chain []shutdown.Executor) []shutdown.Executor {
	if m.cfg.Node.Settings.Policy().NeverGoes {
		return chain
	}
	var out []shutdown.Executor
	for _, x := range chain {
		out = append(out, sealing{x, m.seals})
	}
	return out
}

func (m *Master) newSeals(o Options) *seals {
	s := &seals{
		hub: m.hub, ups: m.cfg.UPS, boot: o.Boot, log: o.Log, file: cut.NewFile(o.FS, cut.Path(m.cfg.Run)), lift: o.Lift, lifting: make(chan struct{}, 1),
		event: func(kind, text string) { m.event("master/"+m.cfg.Name, kind, text) }, cuts: m.sealedFor,
	}
	if s.lift == nil {
		run := o.Exec // and not all of o, which has the master before
		s.lift = func(ctx context.Context, on bool) error { return shutdown.LiftJobTimeout(ctx, run, on) }
	}
	return s
}

// powerOff is one attempt.
func (s *seals) powerOff(ctx context.Context, by shutdown.Executor) error {
	if _, own := s.make(nil); !own {
		if s.hub.allGood() {
			return overtaken(ctx)
		}
		return by.PowerOff(ctx)
	}
	s.mu.Lock()
	s.trying++
	s.mu.Unlock()
	err := s.sealAndGo(ctx, by)
	s.mu.Lock()
	s.trying--
	s.taken = s.taken || err == nil
	over := s.trying == 0 && !s.taken
	sealed := over && s.seal != nil
	n := uint64(0)
	if sealed {
		s.seal = nil
		n = s.put()
	}
	s.mu.Unlock()
	switch {
	case sealed:
		s.event(kindSeal, "the seal is taken back: "+err.Error())
		if err := s.file.Wait(n, sealLimit); err != nil {
			s.log.Error("cannot take the seal back", "err", err)
		}
	case !over:
		s.look() // power may have come back in between
	}
	return err
}

func (s *seals) sealAndGo(ctx context.Context, by shutdown.Executor) error {
	s.awaitEnds(ctx)
	s.lifted(ctx, true)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	seal, own := s.make(nil)
	n := uint64(0)
	if own {
		s.seal = &seal
		n = s.put()
	}
	s.mu.Unlock()
	if !own {
		return overtaken(ctx)
	}
	s.event(kindSeal, s.words(seal))
	if err := s.file.Wait(n, sealLimit); err != nil {
		s.log.Error("the load may stay on: cannot seal", "err", err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return by.PowerOff(ctx)
}

// overtaken waits for the cancelling that must come when the power is back.
func overtaken(ctx context.Context) error {
	t := time.NewTimer(backWait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return errPowerBack
	}
}

// lifted lifts the job timeout of the target, or puts it back.
func (s *seals) lifted(ctx context.Context, on bool) {
	ctx, cancel := context.WithTimeout(ctx, liftLimit)
	defer cancel()
	select {
	case s.lifting <- struct{}{}:
		defer func() { <-s.lifting }()
	case <-ctx.Done():
		return
	}
	s.mu.Lock()
	same := !on && (s.trying > 0 || s.taken || !s.isLifted)
	s.isLifted = s.isLifted || on
	s.mu.Unlock()
	if same {
		return
	}
	done := make(chan error, 1)
	go func() { done <- s.lift(ctx, on) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		s.log.Warn("cannot change for how long the power-off may take", "lifted", on, "err", err)
	}
	s.mu.Lock()
	s.isLifted = on
	s.mu.Unlock()
}

// awaitEnds waits for everybody to commit who is heard and was told that the host goes.
// The host's own word that it does may still be on its way.
func (s *seals) awaitEnds(ctx context.Context) {
	poll := time.NewTicker(endPoll)
	defer poll.Stop()
	limit := time.NewTimer(endWait)
	defer limit.Stop()
	for n := 0; ; n++ {
		left, ending := s.hub.lingering()
		if len(left) == 0 && (ending || n > int(time.Second/endPoll)) {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		case <-limit.C:
			s.event(kindSeal, "not waited for any longer: "+strings.Join(left, ", "))
			return
		}
	}
}
