package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// maxHold bounds a hold: a forgotten one must not outlive the night.
const maxHold = 24 * time.Hour

// controlService is the people who steer.
type controlService struct {
	upsv1.UnimplementedControlServiceServer
	m *Master
}

// Hold keeps nodes from going down until it expires or is released.
func (s controlService) Hold(ctx context.Context, req *upsv1.HoldRequest) (*upsv1.HoldResponse, error) {
	d := req.GetFor().AsDuration()
	if d <= 0 || d > maxHold {
		return nil, api.Error(codes.InvalidArgument, fmt.Errorf("a hold lasts more than 0 and at most %s, not %s", maxHold, d))
	}
	by := api.PeerFrom(ctx).Name
	o := policy.Order{Kind: policy.OrderHold, By: by, Until: s.m.now().Add(d)}
	err := s.order(req.GetNodes(), fmt.Sprintf("held for %s by %s", d, by), func(n *nodeRecord) (policy.Order, error) {
		if (n.host || n.session != nil) && isGoing(n.report) {
			return n.order, fmt.Errorf("it is too late to hold node %s: it has asked for its power-off; only power that is back can call that back", n.name)
		}
		return o, nil
	})
	return &upsv1.HoldResponse{}, err
}

// Release takes back what people ordered: a hold, or a shutdown that the node's
// system has not accepted yet (law 3). The fleet's order end is not theirs.
func (s controlService) Release(ctx context.Context, req *upsv1.ReleaseRequest) (*upsv1.ReleaseResponse, error) {
	err := s.order(req.GetNodes(), "released by "+api.PeerFrom(ctx).Name, func(*nodeRecord) (policy.Order, error) { return policy.Order{}, nil })
	if err == nil {
		s.m.recovery.release(req.GetNodes(), api.PeerFrom(ctx).Name)
	}
	return &upsv1.ReleaseResponse{}, err
}

// Shutdown makes nodes shut down now. One that can't hear it is refused rather
// than remembered: it must not go down hours later, when it attaches.
func (s controlService) Shutdown(ctx context.Context, req *upsv1.ShutdownRequest) (*upsv1.ShutdownResponse, error) {
	by := api.PeerFrom(ctx).Name
	err := s.order(req.GetNodes(), "told to shut down by "+by, func(n *nodeRecord) (policy.Order, error) {
		if !n.host && n.session == nil {
			return policy.Order{}, fmt.Errorf("node %s is not attached and would not hear it", n.name)
		}
		if req.GetWake() {
			if err := s.m.recovery.could(n); err != nil {
				return policy.Order{}, err
			}
		}
		return policy.Order{Kind: policy.OrderShutdown, By: by}, nil
	})
	if err == nil && req.GetWake() {
		s.m.recovery.ask(req.GetNodes(), by)
	}
	return &upsv1.ShutdownResponse{}, err
}

// order sets orders, says so, and keeps them over a restart.
func (s controlService) order(names []string, said string, change func(*nodeRecord) (policy.Order, error)) error {
	if len(names) == 0 {
		return api.Error(codes.InvalidArgument, errors.New("no node was named"))
	}
	var unknown unknownNode
	switch err := s.m.hub.setOrders(names, change); {
	case errors.As(err, &unknown):
		return api.Error(codes.NotFound, err)
	case err != nil:
		return api.Error(codes.FailedPrecondition, err)
	}
	for _, n := range names {
		s.m.event("node/"+n, "order", said)
	}
	s.m.save()
	return nil
}

// Simulate sets the state of a UPS on a sim port.
func (s controlService) Simulate(ctx context.Context, req *upsv1.SimulateRequest) (*upsv1.SimulateResponse, error) {
	name := req.GetUps()
	if name == "" {
		if len(s.m.sims) != 1 {
			return nil, api.Error(codes.InvalidArgument, fmt.Errorf("name the UPS: %d of this master's UPSes are on a sim port", len(s.m.sims)))
		}
		for name = range s.m.sims { // the only one
		}
	}
	sim := s.m.sims[name]
	if sim == nil {
		return nil, api.Error(codes.NotFound, fmt.Errorf("there is no UPS %q on a sim port; a real UPS can't be simulated", name))
	}
	st := api.ToStatus(req.GetStatus())
	if st == power.Unknown {
		return nil, api.Error(codes.InvalidArgument, errors.New("a simulated UPS can be ok, fail or batlow"))
	}
	s.m.event("ups/"+name, "sim", fmt.Sprintf("set to %s by %s", st, api.PeerFrom(ctx).Name))
	return &upsv1.SimulateResponse{Ups: name}, api.Error(codes.InvalidArgument, sim.set(st))
}
