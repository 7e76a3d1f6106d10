package master

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// missedBeats is how many heartbeats may be missed before a link is lost; the
// fourth is the margin for one that is merely late.
const missedBeats = 3

// powerService is who lives on the master's UPSes, and lookers-on.
type powerService struct {
	upsv1.UnimplementedPowerServiceServer
	m        *Master
	stopping <-chan struct{} // closed when the streams are to say goodbye
}

// Attach serves one agent for as long as its stream lives.
func (s powerService) Attach(stream grpc.BidiStreamingServer[upsv1.AttachRequest, upsv1.AttachResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.GetHello() == nil || first.GetReport() == nil {
		return status.Error(codes.InvalidArgument, "the first message of Attach must carry hello and a report")
	}
	api.BoundHello(first.GetHello())
	var remote net.Addr
	if p, ok := peer.FromContext(stream.Context()); ok {
		remote = p.Addr
	}
	name, address := api.PeerFrom(stream.Context()).Name, api.NodeAddress(first.GetHello().GetListen(), remote)
	api.BoundReport(first.GetReport(), name)
	sess := s.m.hub.attach(name, address, first.GetHello(), first.GetReport())
	s.m.hub.cameFrom(sess, api.Host(remote))
	ended := make(chan error, 1)
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			s.m.hub.report(sess, m.GetReport())
			s.m.hub.drillReport(sess, m.GetDrill())
		}
	}()
	err = s.serve(stream, sess, ended)
	why := "its connection ended"
	if err != nil && status.Code(err) != codes.Canceled { // gRPC's word for just that
		why = api.Message(err)
	}
	s.m.hub.detach(sess, why)
	return err
}

// serve sends the full state at once, at each change and at each beat. Sending
// may block on a slow reader: that is its own loss, it gets the newest next.
func (s powerService) serve(stream grpc.BidiStreamingServer[upsv1.AttachRequest, upsv1.AttachResponse], sess *session, ended <-chan error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	told := 0 // how many removed keys the node knows of; the list only grows
	for {
		tempo := s.m.hub.tempo()
		select {
		case <-sess.wake:
		case <-timer.C:
			if quiet := s.m.hub.silent(sess); quiet > (missedBeats+1)*tempo {
				return status.Errorf(codes.DeadlineExceeded, "nothing was heard for %s", quiet.Round(time.Millisecond))
			}
		case <-sess.replaced:
			return status.Error(codes.Aborted, "a newer connection of this node took over")
		case <-sess.removed:
			return status.Error(codes.PermissionDenied, "this node was removed from the rack; to come back it has to join anew")
		case <-s.stopping:
			r := s.m.hub.response(sess, s.m.cfg.Name, tempo)
			r.Goodbye = true
			return stream.Send(r)
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r := s.m.hub.response(sess, s.m.cfg.Name, tempo)
		if keys := s.m.authority.Load(); keys != nil {
			if removed := keys.Removed(); len(removed) != told {
				r.Removed, told = removed, len(removed)
			}
		}
		if err := stream.Send(r); err != nil {
			return err
		}
		timer.Reset(tempo)
	}
}

// Watch sends the status at once and after each change, the newest only.
func (s powerService) Watch(_ *upsv1.WatchRequest, stream grpc.ServerStreamingServer[upsv1.WatchResponse]) error {
	wake, stop := s.m.hub.watch()
	defer stop()
	for {
		if err := stream.Send(&upsv1.WatchResponse{Status: s.m.status()}); err != nil {
			return err
		}
		select {
		case <-wake:
		case <-s.stopping:
			return status.Error(codes.Unavailable, "the master stops")
		case <-stream.Context().Done():
			return nil
		}
	}
}

// GetStatus answers with everything the master knows now, and where all is asked
// for with what each node says of itself.
func (s powerService) GetStatus(ctx context.Context, req *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	out := &upsv1.GetStatusResponse{}
	if authority := s.m.authority.Load(); req.GetAll() && authority != nil {
		cfg := trust.DialTLS(authority.Identity(), trust.RoleNode.ServerName())
		seen := s.m.lan.seen()
		out.Seen = seen.Nodes()
		out.Asked = api.AskNodes(ctx, s.m.hub.askable(&seen), cfg, s.m.dial)
	}
	out.Masters = []*upsv1.MasterStatus{s.m.status()}
	return out, nil
}

// StreamEvents sends the newest events and, if asked to, each new one.
func (s controlService) StreamEvents(req *upsv1.StreamEventsRequest, stream grpc.ServerStreamingServer[upsv1.StreamEventsResponse]) error {
	last := int(req.GetLast())
	if last == 0 {
		last = 100
	}
	return s.m.events.stream(stream.Context(), last, req.GetFollow(), stream.Send)
}

// Heartbeats: one a second for a rack, slower for hundreds so that idle stays
// idle, twice as quick while any UPS is not OK. Three missed are a lost link.
const (
	tempoBase    = time.Second
	tempoPerNode = 10 * time.Millisecond // 100 nodes and below: the base
)

// tempo returns how often each node is to be sent the state.
func (h *hub) tempo() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := max(tempoBase, time.Duration(len(h.nodes))*tempoPerNode)
	for _, u := range h.ups {
		if u.state.Status != power.OK {
			return t / 2
		}
	}
	return t
}
