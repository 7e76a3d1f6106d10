package master

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// drillUsual is how long a drill lasts if nobody says.
	drillUsual = 30 * time.Second
	// drillLowAfter is when the battery is pretended to be low: late enough for every
	// node to have heard of the failure first.
	drillLowAfter = 2 * time.Second
	// drillSettle is for how long the last words of a drill are waited for: hooks that
	// undo what the drill did may take that long. After a real failure everybody has
	// better to do, and drillHurry is the limit.
	drillSettle, drillHurry = time.Minute, 3 * time.Second
	// drillSlack is how much later than foreseen a node may be: a beat, and its way.
	drillSlack = 2 * time.Second
	// drillPause keeps a rack of hundreds that all report at once from being looked at
	// for each.
	drillPause = 100 * time.Millisecond
)

// drill is a pretended outage. It lives in the hub beside everything real and changes
// nothing there: no UPS's state, no order, no report of a node (law 11).
type drill struct {
	id, by  string
	began   power.Uptime
	low     power.Uptime // from then on the battery is low; 0: never
	lowTold bool         // everybody was woken for that
	until   power.Uptime // from then on the power is back
	back    bool         // it is, and only last words are waited for
	backAt  power.Uptime
	ended   string            // why it ended before its time; empty: it did not
	ups     []node.NamedState // what they pretend until low
	nodes   map[string]*drilled
}

// drilled is one node's part.
type drilled struct {
	answered time.Duration // how long its first answer took; 0: there was none
	report   *upsv1.DrillReport
	planned  time.Duration // when its time should be up
	goes     bool          // whether that is known
}

// Drill pretends an outage until its time is up, the caller hangs up, or the power
// fails.
func (s controlService) Drill(req *upsv1.DrillRequest, stream grpc.ServerStreamingServer[upsv1.DrillResponse]) error {
	long := drillUsual
	if req.GetFor() != nil {
		long = req.GetFor().AsDuration()
	}
	if long <= 0 || long > api.DrillLong {
		return api.Error(codes.InvalidArgument, fmt.Errorf("a drill lasts more than 0 and at most %s, not %s", api.DrillLong, long))
	}
	h, ctx, by := s.m.hub, stream.Context(), api.PeerFrom(stream.Context()).Name
	id, err := h.beginDrill(drillOf{id: s.m.boot, by: by, long: long, low: req.GetBatlow(), nodes: req.GetNodes()})
	var unknown unknownNode
	switch {
	case errors.As(err, &unknown):
		return api.Error(codes.NotFound, err)
	case err != nil:
		return api.Error(codes.FailedPrecondition, err)
	}
	last := &upsv1.DrillResponse{Id: id}
	defer func() { // whatever happens
		h.forgetDrill(id)
		s.m.event("master/"+s.m.cfg.Name, "drill", drillSummary(last))
	}()
	s.m.event("master/"+s.m.cfg.Name, "drill", fmt.Sprintf("a drill of %s begins, by %s", long, by))
	wake, stop := h.watch()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		is, next := h.stepDrill(id)
		if !proto.Equal(is, last) {
			if err := stream.Send(is); err != nil {
				return err
			}
		}
		if last = is; is.GetOver() {
			return nil
		}
		timer.Reset(drillPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		timer.Reset(max(next.Sub(s.m.now()), time.Millisecond))
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drillSummary says in a line what came of a drill.
func drillSummary(r *upsv1.DrillResponse) string {
	missing, late := 0, 0
	for _, n := range r.GetNodes() {
		if n.GetMissing() != "" {
			missing++
		}
		if n.GetLate() {
			late++
		}
	}
	text := fmt.Sprintf("the drill is over: %d of %d nodes took part, %d too late", len(r.GetNodes())-missing, len(r.GetNodes()), late)
	switch {
	case r.GetEnded() != "":
		text += "; it ended before its time: " + r.GetEnded()
	case !r.GetOver():
		text += "; it ended before its time: whoever asked for it hung up"
	}
	return text
}

// drillOf is what is asked for.
type drillOf struct {
	id, by string // id is the boot's, from which the drill's is made
	long   time.Duration
	low    bool
	nodes  []string // none: all
}

// beginDrill begins a drill, or says why there can be none now.
func (h *hub) beginDrill(of drillOf) (id string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if h.drill != nil {
		return "", fmt.Errorf("a drill by %s is on; try again when it is over", h.drill.by)
	}
	d := &drill{
		id: fmt.Sprintf("%s-drill%d", of.id, now/power.Uptime(time.Millisecond)), by: of.by,
		began: now, until: now.Add(of.long), nodes: map[string]*drilled{},
	}
	if of.low {
		d.low = now.Add(min(drillLowAfter, of.long/2))
	}
	for _, u := range h.ups {
		switch known := u.state.Known(); {
		case known.OnBattery():
			return "", fmt.Errorf("the UPS %s is %s; try again when the power is back", u.name, known)
		case known == power.OK:
			d.ups = append(d.ups, node.NamedState{Name: u.name, State: pretend(u.state, d.id, now)})
		}
	}
	if len(d.ups) == 0 {
		return "", errors.New("no UPS is seen to be OK, so nobody would know of a real failure; look at upsctl status")
	}
	if len(of.nodes) == 0 {
		of.nodes = slices.Collect(maps.Keys(h.nodes))
	}
	for _, name := range of.nodes {
		n := h.nodes[name]
		if n == nil {
			return "", unknownNode{name, slices.Sorted(maps.Keys(h.nodes))}
		}
		d.nodes[name] = &drilled{}
		d.nodes[name].planned, d.nodes[name].goes = h.foresee(n, d)
	}
	h.drill = d
	h.wakeSessions()
	h.wakeWatchers()
	return d.id, nil
}

// pretend returns what a UPS would say if its power had failed at now.
func pretend(s power.State, outage string, now power.Uptime) power.State {
	s.Status, s.Last, s.Since, s.Reason = power.Fail, power.Fail, now, ""
	s.Outage, s.OutageSince, s.Drill = outage, now, true
	return s
}

// states returns what the UPSes pretend now.
func (d *drill) states(now power.Uptime) []node.NamedState {
	out := slices.Clone(d.ups)
	if d.low == 0 || now.Before(d.low) {
		return out
	}
	for i := range out {
		if s := &out[i].State; s.HasLow {
			s.Status, s.Last, s.Since = power.BatLow, power.BatLow, d.low
		}
	}
	return out
}

// foresee returns when a node's time should be up in a drill, by its policy and by
// nothing that it says in it; false: it should not go, or nobody can say. h.mu is held.
func (h *hub) foresee(n *nodeRecord, d *drill) (time.Duration, bool) {
	if n.hello.GetPolicy() == nil {
		return 0, false // its software is older and does not say
	}
	c, need := api.ToPolicy(n.hello)
	c.StopTime, c.Margin = n.report.GetStopTime().AsDuration(), node.Settings{}.Policy().Margin
	real, said := power.NewFeeds(need, n.feeds, c.ObeySim), power.NewFeeds(need, n.feeds, c.ObeySim)
	for _, f := range n.feeds {
		if !ofMaster(f, h.name) {
			return 0, false // nobody here knows how the other master's UPS is
		}
	}
	low := power.NewFeeds(need, n.feeds, c.ObeySim)
	for _, u := range h.ups {
		for _, f := range []*power.Feeds{real, said, low} {
			f.Update(h.name+"/"+u.name, u.state, power.LinkUp)
		}
	}
	for i, u := range d.ups {
		said.Update(h.name+"/"+u.Name, u.State, power.LinkUp)
		low.Update(h.name+"/"+u.Name, d.states(d.until)[i].State, power.LinkUp)
	}
	state, _ := real.Combined()
	shadow := policy.NewShadow(d.began, c, d.id, policy.Power{State: state, Link: power.LinkUp}, h.order(n))
	state, _ = said.Combined()
	shadow.Step(d.began, policy.News{Power: policy.Power{State: state, Link: power.LinkUp}, Order: h.order(n)})
	if d.low != 0 {
		state, _ = low.Combined()
		shadow.Step(d.low, policy.News{Power: policy.Power{State: state, Link: power.LinkUp}, Order: h.order(n)})
	}
	r := shadow.Report()
	return max(0, r.Goes.Sub(d.began)), r.Timed
}
