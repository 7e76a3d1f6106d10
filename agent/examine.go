package agent

import (
	"context"
	"errors"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

var errDrillTime = errors.New("the time for all hooks together was up")

// ExamineNode asks this node whether it would go down now, and with drill runs its
// drill hooks for as long as the caller waits.
func (s nodeService) ExamineNode(ctx context.Context, req *upsv1.ExamineNodeRequest) (*upsv1.ExamineNodeResponse, error) {
	if req.GetDrill() {
		s.a.log.Info("examined, with its drill hooks", "by", api.PeerFrom(ctx).Name)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, api.DrillLimit, errDrillTime)
	defer cancel()
	e := s.a.driver.Examine(ctx, req.GetDrill())
	out := &upsv1.ExamineNodeResponse{CannotPowerOff: e.Cannot, LeftOut: e.NotRun}
	for _, h := range e.Ran {
		out.Ran = append(out.Ran, api.FromHook(h.Name, h.Err, h.Took))
	}
	st, err := s.GetNodeStatus(ctx, nil)
	out.Node = st.GetNode()
	return out, err
}
