package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// askLimit is how long one master may take to tell its status: what it gives its own
// nodes, and its answer's way. People get theirs within 2 s.
const askLimit = api.AskLimit + 300*time.Millisecond

// nodeService answers whoever asks this node itself, and makes it join.
type nodeService struct {
	upsv1.UnimplementedNodeServiceServer
	a *Agent
}

// GetNodeStatus answers with what this node does and believes now.
func (s nodeService) GetNodeStatus(context.Context, *upsv1.GetNodeStatusRequest) (*upsv1.GetNodeStatusResponse, error) {
	now := s.a.now()
	ns := &upsv1.NodeStatus{Name: s.a.cfg.Name, Role: s.a.cfg.Role, Report: s.a.report(), Link: upsv1.Link_LINK_UNSPECIFIED, Virtualization: s.a.guest}
	out := &upsv1.GetNodeStatusResponse{Node: ns}
	for _, sess := range s.a.allSessions() {
		sess.mu.Lock()
		m := &upsv1.NodeMaster{Name: sess.master, Address: sess.address, Link: api.FromLink(sess.link), Error: sess.err}
		for _, u := range sess.ups {
			m.Ups = append(m.Ups, api.FromState(u.Name, u.State, now))
		}
		sess.mu.Unlock()
		if ns.Link != upsv1.Link_LINK_UP {
			ns.Link = m.Link
		}
		out.Masters = append(out.Masters, m)
	}
	return out, nil
}

// passOn answers on the agent's socket what its masters answer: reads only.
type passOn struct {
	upsv1.UnimplementedPowerServiceServer
	a *Agent
}

// GetStatus asks every master, and of one without contact the nodes themselves, all
// side by side: a master that hangs must not make the answer late.
func (s passOn) GetStatus(ctx context.Context, req *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	sessions := s.a.allSessions() // none: nobody is asked, and the node has a problem to tell of
	answers := make([]*upsv1.GetStatusResponse, len(sessions))
	errs := make([]error, len(sessions))
	others := make([][]*upsv1.NodeStatus, len(sessions))
	var wg sync.WaitGroup
	for i, sess := range sessions {
		wg.Go(func() { answers[i], errs[i] = sess.status(ctx, req) })
		if req.GetAll() && !sess.up() {
			wg.Go(func() { others[i] = s.a.askOthers(ctx, sess) })
		}
	}
	wg.Wait()
	out := &upsv1.GetStatusResponse{}
	for i, sess := range sessions {
		if errs[i] == nil {
			out.Masters = append(out.Masters, answers[i].GetMasters()...)
			out.Asked = append(out.Asked, answers[i].GetAsked()...)
			out.Seen = append(out.Seen, answers[i].GetSeen()...)
			continue
		}
		out.Asked = append(out.Asked, others[i]...)
		sess.mu.Lock()
		out.Unreachable = append(out.Unreachable, &upsv1.UnreachableMaster{Address: sess.address, Name: sess.master, Error: api.Message(errs[i])})
		sess.mu.Unlock()
	}
	if req.GetAll() {
		seen := s.a.lan.seen()
		out.Seen = append(out.Seen, seen.Nodes()...)
	}
	return out, nil
}

// askOthers asks the nodes that announce themselves how they are, for a master that
// can't be asked.
func (a *Agent) askOthers(ctx context.Context, sess *session) []*upsv1.NodeStatus {
	seen := a.lan.seen()
	var others []api.Asked
	for _, n := range seen.Nodes() {
		if n.GetJoined() && n.GetName() != a.cfg.Name {
			others = append(others, api.Asked{Name: n.GetName(), Addresses: n.GetAddresses()})
		}
	}
	return api.AskNodes(ctx, others, trust.DialTLS(sess.rack.id, trust.RoleNode.ServerName()), a.dial)
}

// up reports whether the session has contact.
func (s *session) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link == power.LinkUp
}

// status asks the session's master.
func (s *session) status(ctx context.Context, req *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	s.mu.Lock()
	address := s.address
	s.mu.Unlock()
	if address == "" {
		return nil, errors.New("its address is not known; set masters in agent.toml")
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	conn, err := api.Dial(address, s.rack.dialTLS(), s.a.dial)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return upsv1.NewPowerServiceClient(conn).GetStatus(ctx, req)
}

// serverTLS returns how this node proves itself to whoever asks it.
func (a *Agent) serverTLS(*tls.ClientHelloInfo) (*tls.Config, error) {
	all := a.allSessions()
	if len(all) == 0 {
		return nil, errors.New("this node has joined no rack")
	}
	return trust.ServeTLS(all[0].rack.id), nil
}

// identify says who asks, by the rack's CA.
func (a *Agent) identify(ctx context.Context) (api.Peer, error) {
	p, _ := peer.FromContext(ctx)
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return api.Peer{}, errors.New("no TLS")
	}
	var errs []error
	for _, s := range a.allSessions() {
		who, err := s.rack.id.Identify(info.State, *s.rack.removed.Load())
		if err == nil {
			return api.Peer{Name: who.Name, Roles: api.RolesOf(who.Role)}, nil
		}
		errs = append(errs, err)
	}
	return api.Peer{}, errors.Join(errs...)
}
