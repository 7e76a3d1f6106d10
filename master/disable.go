package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// disabling is that a UPS is not looked at, by order. The zero value: it is.
type disabling struct {
	By    string        `json:"by"`
	For   time.Duration `json:"for"` // as was asked, for people
	Until power.Uptime  `json:"until"`
}

// reason says why the UPS is blind. It says the same all the time: a reason that
// changes is news for everybody.
func (d disabling) reason() string { return "disabled by " + d.By }

func (d disabling) text(ups string) string {
	return fmt.Sprintf("disabled by %s for %s: until then nobody notices that the power fails; upsctl ups enable %s ends it",
		d.By, config.FormatDuration(d.For), ups)
}

// wire returns d for the wire; nil: the UPS is looked at.
func (d disabling) wire(now power.Uptime) *upsv1.Disabled {
	if d.By == "" {
		return nil
	}
	return &upsv1.Disabled{By: d.By, Remaining: durationpb.New(max(0, d.Until.Sub(now)))}
}

// look takes the newest sample, unless nobody is to look.
func (u *upsRunner) look() power.State {
	switch now := u.now(); {
	case u.off.By != "":
		return u.q.Step(now, power.Signals{Blind: true, Reason: u.off.reason()})
	case u.seen:
		return u.q.Step(now, u.last.signals)
	default:
		return u.q.Step(now, power.Signals{Blind: true, Reason: u.unseen()})
	}
}

// pass takes that time has passed. An order not to look ends by itself, and the UPS
// settles anew.
func (u *upsRunner) pass() power.State {
	switch now := u.now(); {
	case u.off.By == "":
		return u.q.Tick(now)
	case !u.off.Until.After(now):
		u.off = disabling{}
	}
	return u.look()
}

// next returns when the UPS must be looked at, whatever its lines do.
func (u *upsRunner) next(st power.State) (next power.Uptime, timed bool) {
	switch now := u.now(); {
	case st.Outage != "":
		next, timed = now.Add(liveBeat), true
	case u.q.Battery().Debt > 0:
		next, timed = now.Add(debtBeat), true
	}
	if u.off.By != "" && (!timed || u.off.Until.Before(next)) {
		next, timed = u.off.Until, true
	}
	return next, timed
}

// do has f done by the runner's goroutine and waits until all is told that follows.
func (u *upsRunner) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case u.does <- func() func() {
		err := f()
		return func() { done <- err }
	}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fed says why the UPS must be looked at now; nil: it need not.
func (u *upsRunner) fed() error {
	switch s := u.q.Snapshot(); {
	case s.Outage != "", u.seen && !u.last.signals.Blind && u.last.signals.OnBattery && u.off.By == "":
		return fmt.Errorf("ups %s is on battery", u.name)
	case !u.read:
		return fmt.Errorf("ups %s has not been read yet; try again in some seconds", u.name)
	}
	return nil
}

// disable has nobody look, if that may be.
func (u *upsRunner) disable(d disabling) error {
	if err := u.fed(); err != nil {
		return err
	}
	u.off = d
	u.look()
	return nil
}

// enable has everybody look; renewed: at another battery.
func (u *upsRunner) enable(renewed bool) error {
	if renewed {
		if err := u.fed(); err != nil {
			return err
		}
		if !wired(u.cfg.Port) {
			return fmt.Errorf("ups %s has no battery: no port is configured, or it is pretended", u.name)
		}
		u.q.Renew()
	}
	if u.off.By != "" {
		u.off = disabling{}
		u.look()
	}
	return nil
}

// DisableUps makes a UPS blind for a while.
func (s controlService) DisableUps(ctx context.Context, req *upsv1.DisableUpsRequest) (*upsv1.DisableUpsResponse, error) {
	long := req.GetFor().AsDuration()
	if long <= 0 || long > maxHold {
		return nil, api.Error(codes.InvalidArgument, fmt.Errorf("a UPS is disabled for more than 0 and at most %s, not %s", maxHold, long))
	}
	u, err := s.m.runner(req.GetUps())
	if err != nil {
		return nil, err
	}
	if s.m.hub.hostGoing() {
		return nil, api.Error(codes.FailedPrecondition, errors.New("the master's own host is on its way down, and the load may be cut after it"))
	}
	d := disabling{By: api.PeerFrom(ctx).Name, For: long, Until: s.m.now().Add(long)}
	if err := u.do(ctx, func() error { return u.disable(d) }); err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	s.m.event("ups/"+u.name, "disabled", fmt.Sprintf("disabled for %s by %s", config.FormatDuration(long), d.By))
	return &upsv1.DisableUpsResponse{}, nil
}

// EnableUps ends that.
func (s controlService) EnableUps(ctx context.Context, req *upsv1.EnableUpsRequest) (*upsv1.EnableUpsResponse, error) {
	u, err := s.m.runner(req.GetUps())
	if err != nil {
		return nil, err
	}
	if err := u.do(ctx, func() error { return u.enable(req.GetNewBattery()) }); err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	by := api.PeerFrom(ctx).Name
	said := "enabled by " + by
	if req.GetNewBattery() {
		said = "has another battery now, says " + by
	}
	s.m.event("ups/"+u.name, "order", said)
	return &upsv1.EnableUpsResponse{}, nil
}

// runner returns the runner of the UPS of that name.
func (m *Master) runner(name string) (*upsRunner, error) {
	var known []string
	for _, r := range m.runners {
		if r.name == name {
			return r, nil
		}
		known = append(known, r.name)
	}
	return nil, api.Error(codes.NotFound, fmt.Errorf("there is no UPS %q; the UPSes are %q", name, known))
}

// hostGoing reports whether the master's own host has asked for its power-off.
func (h *hub) hostGoing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		if n.host && isGoing(n.report) {
			return true
		}
	}
	return false
}

// isGoing reports whether a node has asked for its power-off.
func isGoing(r *upsv1.NodeReport) bool {
	return r.GetPhase() == upsv1.Phase_PHASE_COMMITTED || r.GetPhase() == upsv1.Phase_PHASE_DONE
}
