package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// missedBeats is how many heartbeats may be missed before the link is lost.
	missedBeats = 3
	// firstBeat bounds the time from dialling to the first state.
	firstBeat = 5 * time.Second
	// The wait between two sessions: short, because a restarted master must be
	// found again within seconds; random, so that a rack doesn't come at once.
	retryMin, retryMax = 250 * time.Millisecond, 5 * time.Second
	// farewell is how long a stopping agent tries to say that it goes.
	farewell = time.Second
)

// session keeps one rack's master connected for as long as it runs.
type session struct {
	a    *Agent
	rack *rack
	log  *slog.Logger

	reports chan struct{} // size one: the driver's view changed
	hurry   chan struct{} // size one: try again now
	end     context.CancelFunc
	ended   chan struct{} // closed when Run has returned

	mu      sync.Mutex // guards what follows
	master  string     // its name, once heard
	address string     // the one in use, or tried last
	link    power.Link
	ups     []node.NamedState
	order   policy.Order
	awaited policy.Awaited
	drill   node.Drill
	stop    time.Duration // this node's stop time, as measured
	err     string        // why it isn't connected, for people
	first   chan struct{} // closed at the first state ever heard
}

func newSession(a *Agent, r *rack) *session {
	return &session{
		a: a, rack: r, log: a.log.With("rack", r.master), master: r.master,
		reports: make(chan struct{}, 1), hurry: make(chan struct{}, 1), first: make(chan struct{}), ended: make(chan struct{}),
	}
}

// String names the task.
func (s *session) String() string { return "session with " + s.rack.master }

// Run attaches, again and again, until ctx ends.
func (s *session) Run(ctx context.Context) error {
	wait := retryMin
	for ctx.Err() == nil {
		began := time.Now()
		s.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > retryMax {
			wait = retryMin // it lived: the next try is a first one
		}
		if !sleep(ctx, wait/2+rand.N(wait), s.hurry) {
			break
		}
		wait = min(2*wait, retryMax)
	}
	return nil
}

// once attaches once and notes how that ended, unless ctx did.
func (s *session) once(ctx context.Context) {
	address, err := api.Reach(ctx, s.a.lookFor(ctx, s.rack.master), s.rack.dialTLS(), s.a.dial)
	if err == nil {
		var conn *grpc.ClientConn
		if conn, err = api.Dial(address, s.rack.dialTLS(), s.a.dial); err == nil {
			defer func() { _ = conn.Close() }() // last: for a dead switch it may wait 5 s (crypto/tls)
			err = s.attach(ctx, conn, address)
		}
	}
	if ctx.Err() == nil {
		s.lost(address, err)
	}
}

// lost notes that there is no contact. A goodbye stays one: the driver counts.
func (s *session) lost(address string, err error) {
	s.mu.Lock()
	was := s.link
	if address != "" {
		s.address = address
	}
	s.err = api.Message(err)
	if s.link == power.LinkUp {
		s.link = power.LinkLost
	}
	s.mu.Unlock()
	if was == power.LinkUp {
		s.log.Warn("lost the master", "address", address, "err", api.Message(err))
	} else {
		s.log.Debug("cannot attach", "address", address, "err", api.Message(err))
	}
	s.tellDriver()
}

// attach runs one stream on conn, which is to address, until it ends, and says why
// it did.
func (s *session) attach(ctx context.Context, conn *grpc.ClientConn, address string) error {
	// The stream outlives ctx by the farewell: it says that this agent goes.
	sctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	silence := time.AfterFunc(firstBeat, func() { cancel(errSilent) })
	defer silence.Stop()
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, func() { cancel(context.Canceled) }) })
	defer unhook()

	stream, err := upsv1.NewPowerServiceClient(conn).Attach(sctx)
	if err != nil {
		return cause(sctx, err)
	}
	beat := make(chan struct{}, 1)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.send(ctx, sctx, stream, beat)
	}()
	for {
		m, err := stream.Recv()
		if err != nil {
			err = cause(sctx, err)
			cancel(err)
			<-sent
			return err
		}
		silence.Reset(missedBeats * heartbeat(m))
		s.heard(address, m)
		select {
		case beat <- struct{}{}:
		default:
		}
	}
}

// errSilent ends a stream on which the heartbeats stopped.
var errSilent = errors.New("the master went silent")

// heartbeat returns the tempo that the master sets, within reason: a broken or
// hostile value must neither spin nor make a lost link unnoticeable.
func heartbeat(m *upsv1.AttachResponse) time.Duration {
	return min(max(m.GetHeartbeat().AsDuration(), 100*time.Millisecond), 30*time.Second)
}

// heard hands a full state to the driver.
func (s *session) heard(address string, m *upsv1.AttachResponse) {
	now := s.a.now()
	ups := states(m.GetUps(), now)
	order, awaited, drill := api.ToOrder(m.GetOrder(), now), api.ToAwaited(m.GetAwaited(), now), toDrill(m.GetDrill(), now)
	s.mu.Lock()
	steady(ups, s.ups)
	if order.Kind == s.order.Kind && order.By == s.order.By && order.Until.Sub(s.order.Until).Abs() < jitter {
		order = s.order
	}
	awaited.Limit = sameLimit(awaited.Limit, s.awaited.Limit, now)
	steadyDrill(&drill, s.drill, now)
	was := s.link
	// A beat that says nothing new needs no decision: the driver has it all.
	news := was != power.LinkUp || m.GetGoodbye() || order != s.order || !awaited.Equal(s.awaited) || !slices.Equal(ups, s.ups) ||
		!drill.Equal(s.drill) || api.ToStopTime(m) != s.stop
	s.stop = api.ToStopTime(m)
	s.ups, s.order, s.awaited, s.drill = ups, order, awaited, drill
	s.address, s.err, s.link = address, "", power.LinkUp
	if m.GetMaster() != "" {
		s.master = m.GetMaster()
	}
	if m.GetGoodbye() {
		s.link = power.LinkAway
	}
	is := s.link
	select {
	case <-s.first:
	default:
		close(s.first)
	}
	s.mu.Unlock()
	if was != is {
		s.log.Info("link to the master", "from", was.String(), "to", is.String(), "address", address)
		if is == power.LinkUp {
			s.a.remember(s.rack, address)
		}
	}
	if news {
		s.tellDriver()
	}
	if len(m.GetRemoved()) > 0 {
		s.a.cutOff(s.rack, m.GetRemoved())
	}
}

// jitter is by how much the moments of one and the same state may differ between
// two messages, because one was under way for longer, before that is news.
const jitter = 50 * time.Millisecond

// steady keeps the moments of states that were heard before and only arrived
// sooner or later: each beat would be a change otherwise.
func steady(now, was []node.NamedState) {
	for i := range now {
		for _, w := range was {
			n := &now[i].State
			if w.Name == now[i].Name && w.State.Status == n.Status && w.State.Outage == n.Outage &&
				n.Since.Sub(w.State.Since).Abs() < jitter && n.OutageSince.Sub(w.State.OutageSince).Abs() < jitter {
				n.Since, n.OutageSince = w.State.Since, w.State.OutageSince
			}
		}
	}
}

// sameLimit does the same with the limit of those who are waited for: what has passed
// arrives as now, again and again.
func sameLimit(is, was, now power.Uptime) power.Uptime {
	passed := !is.After(now) && !was.After(now)
	if is != 0 && was != 0 && (passed || is.Sub(was).Abs() < jitter) {
		return was
	}
	return is
}

// tellDriver gives the driver this master's present picture: what was last heard,
// and whether that is still being heard.
func (s *session) tellDriver() {
	s.mu.Lock()
	up := node.Update{Master: s.master, Link: s.link, UPS: s.ups, Order: s.order, Awaited: s.awaited, Drill: s.drill, StopTime: s.stop}
	s.mu.Unlock()
	s.a.driver.Update(up)
}

// send reports at once, at each change, and in answer to each beat; at the end it
// says that this agent goes. Sending may block on a dead peer: the silence ends it.
// What can't be sent is not said: receiving ends with the same error.
func (s *session) send(ctx, sctx context.Context, stream grpc.BidiStreamingClient[upsv1.AttachRequest, upsv1.AttachResponse], beat <-chan struct{}) {
	req := s.a.attachRequest()
	req.Hello = s.a.hello()
	for stream.Send(req) == nil {
		select {
		case <-s.reports:
		case <-beat:
		case <-ctx.Done():
			r := s.a.report()
			r.Leaving = true
			if stream.Send(&upsv1.AttachRequest{Report: r}) == nil {
				_ = stream.CloseSend()
			}
			return
		case <-sctx.Done():
			return
		}
		req = s.a.attachRequest()
	}
}

// cause returns why sctx was cancelled, where it was, in place of gRPC's own word.
func cause(sctx context.Context, err error) error {
	if c := context.Cause(sctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// sleep waits for d, or until hurry says that there is no need to; false when ctx
// ended first.
func sleep(ctx context.Context, d time.Duration, hurry <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-hurry:
		return true
	case <-ctx.Done():
		return false
	}
}
