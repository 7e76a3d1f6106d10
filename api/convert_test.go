package api

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const minute = time.Minute

func TestLaw01StateKeepsItsAgeAcrossClocks(t *testing.T) {
	sender, receiver := power.Uptime(10*time.Hour), power.Uptime(3*minute) // the receiver booted just now
	s := power.State{
		Status: power.BatLow, Since: sender.Add(-20 * time.Second), Last: power.BatLow,
		Outage: "b-1", OutageSince: sender.Add(-5 * minute), Debt: 90 * time.Second, Runtime: 12 * minute,
		HasLow: true, WeakBattery: true, Sim: true, Drill: true,
	}
	p := FromState("main", s, sender)
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var over upsv1.UpsState
	if err := proto.Unmarshal(b, &over); err != nil {
		t.Fatal(err)
	}
	want := s
	want.Since, want.OutageSince = receiver.Add(-20*time.Second), receiver.Add(-5*minute) // before its own boot: rightly negative
	if diff := cmp.Diff(want, ToState(&over, receiver)); diff != "" {
		t.Errorf("state across the wire (-want +got):\n%s", diff)
	}
}

func TestLaw02WhatIsNotUnderstoodIsBlind(t *testing.T) {
	now := power.Uptime(time.Hour)
	for name, p := range map[string]*upsv1.UpsState{
		"nothing at all":               nil,
		"an empty message":             {},
		"a status of the future":       {Status: 9, Last: 9},
		"on battery without an outage": {Status: upsv1.Status_STATUS_BATLOW},
	} {
		t.Run(name, func(t *testing.T) {
			s := ToState(p, now)
			if s.Status != power.Unknown || s.Known() != power.Unknown {
				t.Errorf("understood as %s, known %s; want blind", s.Status, s.Known())
			}
		})
	}
}

func TestHostileDurationsAreBounded(t *testing.T) {
	now := power.Uptime(time.Hour)
	for name, d := range map[string]*durationpb.Duration{
		"negative":     durationpb.New(-time.Hour),
		"beyond Go's":  {Seconds: math.MaxInt64},
		"not a number": {Seconds: 1, Nanos: -5},
	} {
		t.Run(name, func(t *testing.T) {
			s := ToState(&upsv1.UpsState{Status: upsv1.Status_STATUS_FAIL, Outage: "x", Age: d, OutageAge: d, Debt: d, Runtime: d}, now)
			if s.Since.After(now) || s.OutageSince.After(now) || s.Debt < 0 || s.Runtime < 0 || s.OutageSince < -power.Uptime(maxDuration) {
				t.Errorf("not bounded: %+v", s)
			}
		})
	}
}

func TestNumbersOnTheWireAreTheDomains(t *testing.T) {
	for n, name := range upsv1.Phase_name {
		if n == 0 {
			continue
		}
		if p := ToPhase(upsv1.Phase(n)); "PHASE_"+p.String() != name || FromPhase(p) != upsv1.Phase(n) {
			t.Errorf("phase %d is %s on the wire and %s in the domain", n, name, p)
		}
	}
	for n, name := range upsv1.Status_name {
		if s := ToStatus(upsv1.Status(n)); n != 0 && "STATUS_"+s.String() != name || FromStatus(s) != upsv1.Status(n) {
			t.Errorf("status %d is %s on the wire and %s in the domain", n, name, s)
		}
	}
	if p := ToPhase(77); p != policy.PhaseUnknown {
		t.Errorf("phase 77 from the future is %s, want unknown", p)
	}
}

func TestOrderAcrossTheWire(t *testing.T) {
	sender, receiver := power.Uptime(time.Hour), power.Uptime(minute)
	hold := policy.Order{Kind: policy.OrderHold, By: "alice", Until: sender.Add(10 * minute)}
	for _, tt := range []struct {
		name string
		in   policy.Order
		want policy.Order
	}{
		{"none", policy.Order{}, policy.Order{}},
		{"hold", hold, policy.Order{Kind: policy.OrderHold, By: "alice", Until: receiver.Add(10 * minute)}},
		{"expired hold", policy.Order{Kind: policy.OrderHold, By: "alice", Until: sender.Add(-1)}, policy.Order{}},
		{"end", policy.Order{Kind: policy.OrderEnd, By: "fleet"}, policy.Order{Kind: policy.OrderEnd, By: "fleet"}},
		{"shutdown", policy.Order{Kind: policy.OrderShutdown, By: "bob"}, policy.Order{Kind: policy.OrderShutdown, By: "bob"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ToOrder(FromOrder(tt.in, sender), receiver)); diff != "" {
				t.Errorf("order across the wire (-want +got):\n%s", diff)
			}
		})
	}
	if got := ToOrder(&upsv1.Order{Kind: 99}, receiver); got != (policy.Order{}) {
		t.Errorf("an order of the future is %+v, want none", got)
	}
}

func TestReportNamesEightAndCounts(t *testing.T) {
	now := power.Uptime(time.Hour)
	v := policy.View{Phase: policy.Waiting, Timed: true, Deadline: now.Add(minute), WaitingOn: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}}
	r := FromView(v, []health.Entry{{Found: health.Found{On: "node/nas", Problem: health.Problem{Name: health.Hook, Text: "t"}}, Since: now.Add(-minute)}}, now)
	if len(r.GetWaitingOn()) != 8 || r.GetWaitingCount() != 10 {
		t.Errorf("%d names and a count of %d, want 8 and 10", len(r.GetWaitingOn()), r.GetWaitingCount())
	}
	AgeReport(r, 20*time.Second)
	if p := r.GetProblems(); len(p) != 1 || p[0].GetOn() != "node/nas" || p[0].GetAge().AsDuration() != 80*time.Second || p[0].GetWeakness() {
		t.Errorf("a problem of a minute received 20s ago is %v", p)
	}
	if got := r.GetDeadline().AsDuration(); got != 40*time.Second {
		t.Errorf("a countdown of 1m received 20s ago is %s, want 40s", got)
	}
	AgeReport(r, time.Hour)
	if got := r.GetDeadline().AsDuration(); got != 0 {
		t.Errorf("a countdown that is over is %s, want 0", got)
	}
}

// FuzzToState: whatever a peer sends, no state is in the future or on battery
// without an outage.
func FuzzToState(f *testing.F) {
	good, err := proto.Marshal(FromState("main", power.State{Status: power.Fail, Outage: "x", OutageSince: 5, Since: 5}, 10))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p upsv1.UpsState
		if proto.Unmarshal(b, &p) != nil {
			return
		}
		now := power.Uptime(time.Hour)
		s := ToState(&p, now)
		if s.Since.After(now) || s.Debt < 0 || s.Runtime < 0 || (s.Status.OnBattery() && (s.Outage == "" || s.OutageSince.After(now))) {
			t.Errorf("%v became %+v", &p, s)
		}
	})
}

func TestAgesGrowTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := power.Uptime(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "sent at"))
		since := at.Add(-time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "age")))
		local := power.Uptime(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "received at"))
		s := ToState(FromState("u", power.State{Status: power.OK, Last: power.OK, Since: since}, at), local)
		if local.Sub(s.Since) != at.Sub(since) {
			t.Fatalf("age %s became %s", at.Sub(since), local.Sub(s.Since))
		}
	})
}

func TestReportIsBoundedAndItsOwn(t *testing.T) {
	long := strings.Repeat("ü", 1000)
	r := &upsv1.NodeReport{Phase: 77, HeldBy: long, Deadline: durationpb.New(-time.Hour), Grace: &durationpb.Duration{Seconds: 1e11}}
	for range 100 {
		r.Problems = append(r.Problems, &upsv1.Problem{On: "node/db1", Name: long, Text: long})
		r.WaitingOn, r.Feeds = append(r.WaitingOn, long), append(r.Feeds, long)
	}
	BoundReport(r, "web1")
	if size := proto.Size(r); size > 64<<10 {
		t.Errorf("a report of %d bytes is kept", size)
	}
	if on := r.GetProblems()[0].GetOn(); on != "node/web1" {
		t.Errorf("web1 speaks for %s", on)
	}
	if r.GetPhase() != 0 || r.GetDeadline().AsDuration() != 0 || r.GetGrace().AsDuration() != maxDuration {
		t.Errorf("phase %s, deadline %s, grace %s", r.GetPhase(), r.GetDeadline().AsDuration(), r.GetGrace().AsDuration())
	}
	if !utf8.ValidString(r.GetHeldBy()) || len(r.GetHeldBy()) > 63 {
		t.Errorf("held by %q", r.GetHeldBy())
	}
	if _, err := proto.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestAwaitedAcrossTheWire(t *testing.T) {
	sender, receiver := power.Uptime(time.Hour), power.Uptime(minute)
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for _, tt := range []struct {
		name     string
		in, want policy.Awaited
	}{
		{"nobody", policy.Awaited{Depth: 2}, policy.Awaited{Depth: 2}},
		{"one whose time is not up", policy.Awaited{Up: ten[:1], Open: true, Depth: 1}, policy.Awaited{Up: ten[:1], Open: true, Depth: 1}},
		{"a limit", policy.Awaited{Up: ten[:1], Limit: sender.Add(minute)}, policy.Awaited{Up: ten[:1], Limit: receiver.Add(minute)}},
		{"a limit that has passed", policy.Awaited{Up: ten[:1], Limit: sender.Add(-minute)}, policy.Awaited{Up: ten[:1], Limit: receiver}},
		{"eight names and a count", policy.Awaited{Up: ten, More: 3}, policy.Awaited{Up: ten[:8], More: 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := proto.Marshal(FromAwaited(tt.in, sender))
			if err != nil {
				t.Fatal(err)
			}
			var over upsv1.Awaited
			if err := proto.Unmarshal(b, &over); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, ToAwaited(&over, receiver)); d != "" {
				t.Errorf("across the wire (-want +got):\n%s", d)
			}
		})
	}
	if got := ToAwaited(nil, receiver); !got.Equal(policy.Awaited{}) {
		t.Errorf("a master of before says %+v", got)
	}
	long := strings.Repeat("ü", 1000)
	wild := &upsv1.Awaited{Count: math.MaxUint32, Depth: math.MaxUint32, Limit: &durationpb.Duration{Seconds: math.MaxInt64}}
	for range 100 {
		wild.Up = append(wild.Up, long)
	}
	if got := ToAwaited(wild, receiver); len(got.Up) != 8 || len(got.Up[0]) > maxName || got.Depth > maxDepth || got.More > maxMore || got.Limit < receiver {
		t.Errorf("not bounded: %d names, depth %d, %d more, limit %s", len(got.Up), got.Depth, got.More, got.Limit)
	}
}
