package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// Limits of an examination. A node gives its own checks 3 s.
const (
	// ExamineLimit bounds an examination without hooks.
	ExamineLimit = 5 * time.Second
	// DrillLimit bounds all of a node's drill hooks together.
	DrillLimit = 10 * time.Minute
	// findLimit bounds the way to a node that may not be there. Less than a
	// connection's own limit, or either might end it.
	findLimit = 2500 * time.Millisecond
)

// ExamineNode asks one node whether it would go down, and with drill makes it run its
// drill hooks, until ctx ends or the limits above are up. cfg must make sure that
// only nodes of the rack are believed; ExamineNode makes sure that it is the one
// asked, and bounds what it says.
func ExamineNode(ctx context.Context, n Asked, drill bool, cfg *tls.Config, dial Dialer) *upsv1.NodeExam {
	out := &upsv1.NodeExam{Name: n.Name}
	start := time.Now()
	reach, cancel := context.WithTimeout(ctx, findLimit)
	defer cancel()
	// First of all at which address it is: no hook must run once for each.
	conn, _, err := firstAnswer(reach, n, cfg, dial)
	if err != nil {
		out.Error = Cut(err.Error(), maxText)
		return out
	}
	defer func() { _ = conn.Close() }()
	out.Took = durationpb.New(time.Since(start))
	limit := ExamineLimit
	if drill {
		limit += DrillLimit
	}
	ctx, cancel = context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := upsv1.NewNodeServiceClient(conn).ExamineNode(ctx, &upsv1.ExamineNodeRequest{Drill: drill})
	if err != nil {
		out.Error = Cut("it is there, and can't be examined: "+noAnswer(err), maxText)
		return out
	}
	boundExam(r, n.Name)
	out.Answer = r
	return out
}

// FromHook returns how a hook ended for the wire.
func FromHook(name string, err error, took time.Duration) *upsv1.HookResult {
	return &upsv1.HookResult{Name: name, Error: Message(err), Took: durationpb.New(took)}
}

// FromTest returns how the test of one alarm went for the wire.
func FromTest(to string, err error) *upsv1.AlarmResult {
	return &upsv1.AlarmResult{To: to, Error: Message(err)}
}

// maxHooks is how many results of hooks one node may send.
const maxHooks = 64

// boundExam cuts what a node says of itself to what that can be, as [BoundReport].
func boundExam(r *upsv1.ExamineNodeResponse, name string) {
	r.CannotPowerOff, r.LeftOut = Cut(r.GetCannotPowerOff(), maxText), Cut(r.GetLeftOut(), maxText)
	if more := len(r.GetRan()) - maxHooks; more > 0 {
		r.Ran = r.Ran[:maxHooks]
		r.LeftOut = fmt.Sprintf("%d more hooks ran, which are not shown", more)
	}
	for _, h := range r.GetRan() {
		boundHook(h)
	}
	if r.Node == nil {
		r.Node = &upsv1.NodeStatus{}
	}
	if r.Node.Report == nil {
		r.Node.Report = &upsv1.NodeReport{}
	}
	r.Node.Name, r.Node.Role, r.Node.Proof = name, Cut(r.Node.GetRole(), maxName), nil // proofs are the master's
	BoundReport(r.Node.Report, name)
}
