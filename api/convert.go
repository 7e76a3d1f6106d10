package api

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// FromStatus returns s for the wire.
func FromStatus(s power.Status) upsv1.Status {
	switch s {
	case power.OK:
		return upsv1.Status_STATUS_OK
	case power.Fail:
		return upsv1.Status_STATUS_FAIL
	case power.BatLow:
		return upsv1.Status_STATUS_BATLOW
	default:
		return upsv1.Status_STATUS_UNSPECIFIED
	}
}

// ToStatus returns s from the wire; what it doesn't know is blind.
func ToStatus(s upsv1.Status) power.Status {
	switch s {
	case upsv1.Status_STATUS_OK:
		return power.OK
	case upsv1.Status_STATUS_FAIL:
		return power.Fail
	case upsv1.Status_STATUS_BATLOW:
		return power.BatLow
	default:
		return power.Unknown
	}
}

// FromPhase returns p for the wire. The numbers are the same on purpose and held
// so by a test.
func FromPhase(p policy.Phase) upsv1.Phase { return upsv1.Phase(p) }

// ToPhase returns p from the wire; what it doesn't know is unknown.
func ToPhase(p upsv1.Phase) policy.Phase {
	if p < 0 || p > upsv1.Phase_PHASE_DONE {
		return policy.PhaseUnknown
	}
	return policy.Phase(p)
}

// FromOff returns how a node is known to be off for the wire; of one that was not there
// there is nothing to say.
func FromOff(o policy.OffState) upsv1.Off {
	if o == policy.OffAbsent {
		return upsv1.Off_OFF_UNSPECIFIED
	}
	return upsv1.Off(o)
}

// ToOff returns o from the wire; what it doesn't know is not off.
func ToOff(o upsv1.Off) policy.OffState {
	if o < 0 || o > upsv1.Off_OFF_CUT {
		return policy.OffNot
	}
	return policy.OffState(o)
}

// FromLink returns a node's contact with its master for the wire.
func FromLink(l power.Link) upsv1.Link {
	switch l {
	case power.LinkUp:
		return upsv1.Link_LINK_UP
	case power.LinkAway:
		return upsv1.Link_LINK_OFF
	case power.LinkLost:
		return upsv1.Link_LINK_LOST
	default:
		return upsv1.Link_LINK_UNSPECIFIED
	}
}

// FromState returns s, as of now, for the wire.
func FromState(name string, s power.State, now power.Uptime) *upsv1.UpsState {
	p := &upsv1.UpsState{
		Name:        name,
		Status:      FromStatus(s.Status),
		Age:         durationpb.New(age(now, s.Since)),
		Last:        FromStatus(s.Last),
		Outage:      s.Outage,
		Debt:        durationpb.New(s.Debt),
		HasLow:      s.HasLow,
		WeakBattery: s.WeakBattery,
		Drill:       s.Drill,
		Sim:         s.Sim,
		Reason:      s.Reason,
	}
	if s.Outage != "" {
		p.OutageAge = durationpb.New(age(now, s.OutageSince))
	}
	if s.Runtime > 0 {
		p.Runtime = durationpb.New(s.Runtime)
	}
	return p
}

// ToState returns p, received at now, with its ages turned into moments of this
// machine's own clock. A state that contradicts itself is blind.
func ToState(p *upsv1.UpsState, now power.Uptime) power.State {
	s := power.State{
		Status:      ToStatus(p.GetStatus()),
		Since:       now.Add(-positive(p.GetAge())),
		Last:        ToStatus(p.GetLast()),
		Outage:      p.GetOutage(),
		Debt:        positive(p.GetDebt()),
		Runtime:     positive(p.GetRuntime()),
		HasLow:      p.GetHasLow(),
		WeakBattery: p.GetWeakBattery(),
		Drill:       p.GetDrill(),
		Sim:         p.GetSim(),
		Reason:      p.GetReason(),
	}
	if s.Status != power.Unknown {
		s.Last = s.Status
	}
	if s.Outage != "" {
		s.OutageSince = now.Add(-positive(p.GetOutageAge()))
	}
	if s.Status.OnBattery() && s.Outage == "" {
		// On battery is by definition within an outage: a master that says one
		// without the other is not understood, and that is blindness.
		s.Status, s.Last = power.Unknown, power.Unknown
		s.Reason = "the master sent a state on battery without an outage"
	}
	return s
}

// FromOrder returns o, as of now, for the wire.
func FromOrder(o policy.Order, now power.Uptime) *upsv1.Order {
	p := &upsv1.Order{Kind: upsv1.OrderKind(o.Kind), By: o.By}
	if o.Kind == policy.OrderHold {
		p.Remaining = durationpb.New(age(o.Until, now))
	}
	return p
}

// ToOrder returns p, received at now. What it doesn't know is no order.
func ToOrder(p *upsv1.Order, now power.Uptime) policy.Order {
	switch p.GetKind() {
	case upsv1.OrderKind_ORDER_KIND_HOLD:
		left := positive(p.GetRemaining())
		if left == 0 {
			return policy.Order{}
		}
		return policy.Order{Kind: policy.OrderHold, By: p.GetBy(), Until: now.Add(left)}
	case upsv1.OrderKind_ORDER_KIND_END:
		return policy.Order{Kind: policy.OrderEnd, By: p.GetBy()}
	case upsv1.OrderKind_ORDER_KIND_SHUTDOWN:
		return policy.Order{Kind: policy.OrderShutdown, By: p.GetBy()}
	default:
		return policy.Order{}
	}
}

// FromAwaited returns who is still up, as of now, for the wire.
func FromAwaited(a policy.Awaited, now power.Uptime) *upsv1.Awaited {
	p := &upsv1.Awaited{
		Up: a.Up[:min(len(a.Up), maxWaitingOn)], Count: uint32(len(a.Up) + a.More), Open: a.Open, Depth: uint32(a.Depth),
	}
	if a.Limit != 0 {
		p.Limit = durationpb.New(age(a.Limit, now))
	}
	return p
}

// ToAwaited returns p, received at now.
func ToAwaited(p *upsv1.Awaited, now power.Uptime) policy.Awaited {
	a := policy.Awaited{Open: p.GetOpen(), Depth: int(min(p.GetDepth(), maxDepth))}
	for _, name := range p.GetUp()[:min(len(p.GetUp()), maxWaitingOn)] {
		a.Up = append(a.Up, Cut(name, maxName))
	}
	if more := int64(p.GetCount()) - int64(len(a.Up)); more > 0 && len(a.Up) > 0 {
		a.More = int(min(more, maxMore))
	}
	if p.GetLimit() != nil {
		a.Limit = max(1, now.Add(positive(p.GetLimit()))) // 0 would be none
	}
	return a
}

// ToStopTime returns a node's stop time as its master has measured it; 0: it has not.
func ToStopTime(p *upsv1.AttachResponse) time.Duration { return positive(p.GetStopTime()) }

// maxWaitingOn is how many names a report carries; the rest is a count.
const maxWaitingOn = 8

// Bounds on what a master may say of those who are waited for.
const (
	maxDepth = 64
	maxMore  = 1 << 20
)

// FromView returns what a node does, and what is wrong with it, as of now, for the
// wire.
func FromView(v policy.View, problems []health.Entry, now power.Uptime) *upsv1.NodeReport {
	r := &upsv1.NodeReport{
		Phase:        FromPhase(v.Phase),
		PhaseAge:     durationpb.New(age(now, v.Since)),
		Status:       FromStatus(v.Power.State.Status),
		Grace:        durationpb.New(v.Allowance),
		WaitingOn:    v.WaitingOn[:min(len(v.WaitingOn), maxWaitingOn)],
		WaitingCount: uint32(len(v.WaitingOn) + v.WaitingMore),
		HeldBy:       v.HeldBy,
		Problems:     FromEntries(problems, now),
	}
	if v.Timed {
		r.Deadline = durationpb.New(age(v.Deadline, now))
	}
	return r
}

// FromEntries returns what is wrong for the wire, with its ages as of now.
func FromEntries(all []health.Entry, now power.Uptime) []*upsv1.Problem {
	var out []*upsv1.Problem
	for _, e := range all {
		out = append(out, &upsv1.Problem{
			On: e.On, Name: e.Name, Text: e.Text, Age: durationpb.New(age(now, e.Since)), Weakness: health.Weakness(e.Name),
		})
	}
	return out
}

// Bounds on what one node may make its master keep and tell everybody.
const (
	maxProblems = 32
	maxName     = 63  // bytes; a DNS label's
	maxText     = 600 // bytes
	maxFeeds    = 16
	maxWaitFor  = 64
)

// BoundReport cuts what a node reports to what a report can be, and makes its
// problems its own: an admitted node that has gone wild, or was broken into, must
// not fill the status of the whole rack, nor speak for others.
func BoundReport(r *upsv1.NodeReport, name string) {
	r.WaitingOn = r.WaitingOn[:min(len(r.WaitingOn), maxWaitingOn)]
	r.Feeds = r.Feeds[:min(len(r.Feeds), maxFeeds)]
	r.Problems = r.Problems[:min(len(r.Problems), maxProblems)]
	r.Methods, r.Wake = r.Methods[:min(len(r.Methods), maxFeeds)], r.Wake[:min(len(r.Wake), maxFeeds)]
	for _, list := range [][]string{r.WaitingOn, r.Feeds, r.Methods, r.Wake} {
		for i := range list {
			list[i] = Cut(list[i], 2*maxName+1) // MASTER/UPS
		}
	}
	for _, p := range r.Problems {
		p.On, p.Name, p.Text = "node/"+name, Cut(p.GetName(), maxName), Cut(p.GetText(), maxText)
		p.Age, p.Weakness = durationpb.New(positive(p.GetAge())), health.Weakness(p.Name)
	}
	r.HeldBy = Cut(r.GetHeldBy(), maxName)
	if r.Phase < 0 || r.Phase > upsv1.Phase_PHASE_DONE {
		r.Phase = upsv1.Phase_PHASE_UNSPECIFIED
	}
	for _, d := range []**durationpb.Duration{&r.Deadline, &r.Grace, &r.StopTime, &r.PhaseAge} {
		if *d != nil {
			*d = durationpb.New(positive(*d))
		}
	}
}

// Cut returns s, or as much of it as fits into limit bytes, valid UTF-8.
func Cut(s string, limit int) string {
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// AgeReport makes r, received d ago, say what it would say now: its countdown has
// gone on.
func AgeReport(r *upsv1.NodeReport, d time.Duration) {
	if r.GetDeadline() != nil {
		r.Deadline = durationpb.New(max(0, r.GetDeadline().AsDuration()-d))
	}
	for _, p := range r.GetProblems() {
		p.Age = durationpb.New(positive(p.GetAge()) + d)
	}
}

// age returns how long after since now is; never negative.
func age(now, since power.Uptime) time.Duration { return max(0, now.Sub(since)) }

// maxDuration bounds what a peer may claim: a hundred years, so that no sum of a
// few of them overflows.
const maxDuration = 100 * 365 * 24 * time.Hour

// positive returns d from the wire, bounded to 0…maxDuration.
func positive(d *durationpb.Duration) time.Duration {
	if d == nil || !d.IsValid() {
		return 0
	}
	return min(max(0, d.AsDuration()), maxDuration)
}
