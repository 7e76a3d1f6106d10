package memrack

import (
	"context"
	"errors"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/cut"
)

// simLate is the late unit on a master's machine: the product's own, with the wires of
// this world.
type simLate struct {
	cancel   context.CancelFunc
	rebooted chan struct{} // closed when it asked for that
	over     chan error    // how it ended otherwise
}

// rebooter is the machine under a late unit.
type rebooter struct {
	ctx context.Context //nolint:containedctx // a reboot does not return while the machine runs
	l   *simLate
}

var _ cut.System = rebooter{}

func (rebooter) Quiet() error { return nil }

func (r rebooter) Reboot() error {
	close(r.l.rebooted)
	<-r.ctx.Done()
	return context.Cause(r.ctx)
}

// goDown does what the time that has passed does to a machine that is on.
func (w *simWorld) goDown(n *simNode) {
	now := w.rack.Since()
	switch {
	case !w.fed(n):
		if n.late == nil {
			w.judge.batteryDied(n)
		}
		w.die(n, false)
		n.dark, n.wasDark = true, true
	case n.late != nil:
		w.watchLate(n)
	case n.asleep || n.offAt == 0:
	case now >= n.offAt && n.master != nil:
		w.beginLate(n)
	case now >= n.offAt:
		w.die(n, true)
	case (n.early || n.liar != honest) && n.agent && now >= n.offAt-n.going+early(n):
		n.ending = true
		w.stop(n, true)
	}
}

// beginLate runs the late unit, when everything else on the machine has ended.
func (w *simWorld) beginLate(n *simNode) {
	n.ending = true
	w.stop(n, true)
	w.rack.Net.Power(n.name, false)
	seal, err := w.seal(n)
	if w.rack.log != nil {
		w.rack.log.Info("LATE", "of", n.name, "seal", seal, "err", err)
	}
	w.judge.sealed(n, seal, err)
	if err != nil {
		w.die(n, true)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &simLate{cancel: cancel, rebooted: make(chan struct{}), over: make(chan error, 1)}
	n.late = l
	n.lates = append(n.lates, span{from: w.rack.Since(), to: never})
	log := w.rack.logger(n.name)
	go func() {
		l.over <- cut.Run(ctx, cut.Options{
			Seal: seal, Now: n.master.machine.now, Open: OpenWires(w.wires), System: rebooter{ctx, l}, Say: func(text string) { log.Info("late", "says", text) },
		})
	}()
}

// seal returns the seal if it is good here and now, as upsmaster cut looks for it. Its
// folder is no disk, so no fault of that touches it.
func (w *simWorld) seal(n *simNode) (cut.Seal, error) {
	fs := program{d: n.disk, above: true}
	seal, err := cut.Load(fs, cut.Path(n.dir()+"/run"))
	if errors.Is(err, cut.ErrNone) {
		return cut.Seal{}, err
	}
	cfg, wrong := w.rack.masterConfig(n.master, n.master.config)
	if err = errors.Join(err, wrong); err == nil {
		err = seal.Check(cut.Here{Boot: n.boot, Now: n.master.machine.now(), UPS: master.Wired(cfg)})
	}
	if err != nil {
		cut.Refuse(fs, n.dir()+"/data", err)
	}
	return seal, err
}

// watchLate looks what the late unit made of the machine.
func (w *simWorld) watchLate(n *simNode) {
	select {
	case <-n.late.rebooted:
		w.judge.rebooted(n)
		w.die(n, true)
		n.bootAt = w.rack.Since() + n.post
	case err := <-n.late.over:
		n.late.over <- err
		w.die(n, true)
	default:
	}
}

// endLate takes the machine from its late unit, and reports whether that ran.
func (w *simWorld) endLate(n *simNode) bool {
	l := n.late
	if l == nil {
		return false
	}
	n.late = nil
	l.cancel()
	<-l.over
	n.lates[len(n.lates)-1].to = w.rack.Since()
	return true
}
