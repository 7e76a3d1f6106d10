package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// play is the scripted outage. Each line of it waits for what must come, or holds
// for a while what must not change; anything else ends the demo with what was seen.
func (d *demo) play(ctx context.Context) error {
	idle := rackIs("OK", "IDLE", "IDLE", "IDLE")
	counting := rackIs("FAIL", "GRACE", "GRACE", "GRACE")
	act := func(title, ups string) func() error {
		return func() error {
			d.say("── %s", title)
			return d.sim(ctx, ups)
		}
	}
	await := func(limit time.Duration, want string, is func(picture) bool) func() error {
		return func() error { return d.await(ctx, limit, want, is) }
	}
	return inTurn(
		await(5*time.Second, "the UPS is OK, three nodes are idle and in touch", idle),

		func() error { return d.blip(ctx) },

		act("an outage that ends in time", "fail"),
		await(3*time.Second, "all three count down", counting),
		act("power returns", "ok"),
		await(3*time.Second, "all three stand down", idle),

		act("an outage that lasts: each goes when its grace is over", "fail"),
		await(3*time.Second, "all three count down", counting),
		await(6*time.Second, "web1 goes first, after 3 s", wentAfter(3, rackIs("FAIL", "DONE", "GRACE", "GRACE"))),
		await(6*time.Second, "then db1, after 5 s", wentAfter(5, rackIs("FAIL", "DONE", "DONE", "GRACE"))),

		act("the battery is nearly empty: nas1 does not wait its 10 minutes", "batlow"),
		await(3*time.Second, "everybody is down", rackIs("BATLOW", "DONE", "DONE", "DONE")),

		act("power returns (they only pretended to be off)", "ok"),
		await(3*time.Second, "all is well again", idle),
	)
}

func inTurn(steps ...func() error) error {
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

// rackIs reports whether the UPS and the nodes, in the order of demoNodes, are as
// named.
func rackIs(ups string, phases ...string) func(picture) bool {
	return func(p picture) bool {
		if len(p.Masters) != 1 || len(p.Masters[0].UPS) != 1 || p.Masters[0].UPS[0].State != ups {
			return false
		}
		for i, want := range phases {
			at := slices.IndexFunc(p.Nodes, func(n nodePicture) bool { return n.Name == demoNodes[i].name })
			if at < 0 || p.Nodes[at].Phase != want || p.Nodes[at].Link != "up" {
				return false
			}
		}
		return true
	}
}

// wentAfter adds that the outage is at least that old: nobody goes early. The age
// counts from the line's first FAIL, as grace does.
func wentAfter(seconds float64, ok func(picture) bool) func(picture) bool {
	return func(p picture) bool {
		if !ok(p) {
			return false
		}
		age := p.Masters[0].UPS[0].OutAge
		return age != nil && *age >= seconds
	}
}

// demoBlip is a third of settle.
const demoBlip = demoSettleFail / 3

// blip fails the power for less than settle. On a machine so busy that it took
// longer it was none, and is tried again.
func (d *demo) blip(ctx context.Context) error {
	const tries = 3
	d.say("── a blip, shorter than settle")
	idle := rackIs("OK", "IDLE", "IDLE", "IDLE")
	for range tries {
		failed := time.Now()
		if err := d.sim(ctx, "fail"); err != nil {
			return err
		}
		held := d.hold(ctx, demoBlip, "nothing moves yet", idle)
		if err := d.sim(ctx, "ok"); err != nil {
			return err
		}
		if time.Since(failed) < demoSettleFail {
			return errors.Join(held, d.hold(ctx, 2*demoSettleFail, "nothing moves", idle))
		}
		d.say("that was no blip: this machine is busy; again")
		if err := d.await(ctx, 3*time.Second, "all three stand down", idle); err != nil {
			return err
		}
	}
	return fmt.Errorf("this machine is too busy: %d blips of %s took longer than %s", tries, demoBlip, demoSettleFail)
}

// receive hands on what the watch says until it ends.
func (d *demo) receive(watch grpc.ServerStreamingClient[upsv1.WatchResponse]) {
	for {
		resp, err := watch.Recv()
		s := seen{err: refused("watch the rack", err)}
		if err == nil {
			s.p.addMaster(resp.GetStatus())
		}
		select {
		case d.feed <- s:
		case <-watch.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// next returns the next picture, after telling what changed. With nothing new
// before the timer: ok is false and the picture the last one.
func (d *demo) next(ctx context.Context, timer <-chan time.Time) (ok bool, err error) {
	select {
	case s := <-d.feed:
		if s.err != nil {
			return false, s.err
		}
		d.last = s.p
		d.tell(s.p)
		return true, nil
	case <-timer:
		return false, nil
	case <-ctx.Done():
		return false, errors.New("stopped")
	}
}

// await waits until the rack is as wanted.
func (d *demo) await(ctx context.Context, limit time.Duration, want string, is func(picture) bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for !is(d.last) {
		if ok, err := d.next(ctx, timer.C); err != nil {
			return d.expected(want, limit, err)
		} else if !ok {
			return d.expected(want, limit, nil)
		}
	}
	d.say("✓ %s", want)
	return nil
}

// hold makes sure that the rack stays as wanted for a while.
func (d *demo) hold(ctx context.Context, long time.Duration, want string, is func(picture) bool) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	for {
		if !is(d.last) {
			return d.expected(want, long, nil)
		}
		ok, err := d.next(ctx, timer.C)
		if err != nil {
			return d.expected(want, long, err)
		}
		if !ok {
			d.say("✓ %s", want)
			return nil
		}
	}
}

// expected is the error of a step: what should have been and what was.
func (d *demo) expected(want string, within time.Duration, err error) error {
	var saw strings.Builder
	if d.plain {
		d.last.say(&saw)
	} else {
		d.last.print(&saw, style{width: maxWidth})
	}
	if err != nil {
		return fmt.Errorf("expected within %s: %s; got: %w; last seen:\n%s", within, want, err, saw.String())
	}
	return fmt.Errorf("expected within %s: %s; seen:\n%s", within, want, saw.String())
}

// tell writes what changed of the UPS and the phases into the timeline.
func (d *demo) tell(p picture) {
	for _, m := range p.Masters {
		for _, u := range m.UPS {
			d.tellOne("ups "+u.Name, u.State, "")
		}
	}
	for _, n := range p.Nodes {
		more := ""
		if n.Deadline != nil && n.Phase == "GRACE" {
			long := toDuration(*n.Deadline)
			more = ", goes in " + span(long)
			if d.plain {
				more = ", goes in " + spoken(long)
			}
		}
		d.tellOne(n.Name, n.Phase, more)
	}
}

func (d *demo) tellOne(what, is, more string) {
	if was := d.told[what]; was != is {
		d.told[what] = is
		if was != "" {
			d.say("   %-9s %s → %s%s", what, was, is, more)
		}
	}
}
