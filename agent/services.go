package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

const (
	askLimit    = 2 * time.Second  // to ask one master for its status
	joinLimit   = 10 * time.Second // to be admitted
	attachLimit = 15 * time.Second // from admission to the first state heard
)

// nodeService answers whoever asks this node itself, and makes it join.
type nodeService struct {
	upsv1.UnimplementedNodeServiceServer
	a *Agent
}

// GetNodeStatus answers with what this node does and believes now.
func (s nodeService) GetNodeStatus(context.Context, *upsv1.GetNodeStatusRequest) (*upsv1.GetNodeStatusResponse, error) {
	now := s.a.now()
	ns := &upsv1.NodeStatus{Name: s.a.cfg.Name, Role: s.a.cfg.Role, Report: s.a.report(), Link: upsv1.Link_LINK_UNSPECIFIED}
	out := &upsv1.GetNodeStatusResponse{Node: ns}
	for _, sess := range s.a.allSessions() {
		sess.mu.Lock()
		m := &upsv1.NodeMaster{Name: sess.master, Address: sess.address, Link: api.FromLink(sess.link)}
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

// JoinRack makes this node join a rack and waits until it is attached.
func (s nodeService) JoinRack(ctx context.Context, req *upsv1.JoinRackRequest) (*upsv1.JoinRackResponse, error) {
	sess, err := s.a.join(ctx, req.GetToken(), req.GetMaster())
	if err != nil {
		return nil, err
	}
	t := time.NewTimer(attachLimit)
	defer t.Stop()
	select {
	case <-sess.first:
	case <-t.C:
		sess.mu.Lock()
		defer sess.mu.Unlock()
		return nil, api.Error(codes.Aborted, fmt.Errorf(
			"joined %s, but it has not attached within %s and goes on trying: %s", sess.master, attachLimit, sess.err))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.a.joinedNow(sess), nil
}

// joinedNow says what now holds.
func (a *Agent) joinedNow(sess *session) *upsv1.JoinRackResponse {
	p := a.cfg.Settings.Policy()
	grace := "grace " + shortDuration(p.Grace)
	if p.GraceBatLow {
		grace = "until battery low"
	}
	out := &upsv1.JoinRackResponse{Node: a.cfg.Name, Grace: grace}
	sess.mu.Lock()
	defer sess.mu.Unlock()
	out.Master = sess.master
	for _, u := range sess.ups {
		out.Feeds = append(out.Feeds, u.Name)
	}
	return out
}

// shortDuration writes 5m for what Go writes as 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// passOn answers on the agent's socket what its masters answer: reads only.
type passOn struct {
	upsv1.UnimplementedPowerServiceServer
	a *Agent
}

// GetStatus asks every master, side by side.
func (s passOn) GetStatus(ctx context.Context, req *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	sessions := s.a.allSessions()
	if len(sessions) == 0 {
		return nil, api.Error(codes.FailedPrecondition, errors.New("this node has joined no rack; run: upsagent join --master HOST:PORT TOKEN"))
	}
	answers := make([]*upsv1.GetStatusResponse, len(sessions))
	errs := make([]error, len(sessions))
	var g errgroup.Group
	for i, sess := range sessions {
		g.Go(func() error {
			answers[i], errs[i] = sess.status(ctx, req)
			return nil
		})
	}
	_ = g.Wait()
	out := &upsv1.GetStatusResponse{}
	for i, sess := range sessions {
		if errs[i] == nil {
			out.Masters = append(out.Masters, answers[i].GetMasters()...)
			continue
		}
		sess.mu.Lock()
		out.Unreachable = append(out.Unreachable, &upsv1.UnreachableMaster{Address: sess.address, Name: sess.master, Error: api.Message(errs[i])})
		sess.mu.Unlock()
	}
	return out, nil
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

// join proves the token to the master at address, keeps the identity, and begins
// a session. What is refused leaves nothing behind.
func (a *Agent) join(ctx context.Context, token, address string) (*session, error) {
	tok, err := trust.ParseToken(token)
	if err != nil {
		return nil, api.Error(codes.InvalidArgument, err)
	}
	if address == "" && len(a.cfg.Masters) == 1 {
		address = a.cfg.Masters[0]
	}
	if address == "" {
		return nil, api.Error(codes.InvalidArgument, errors.New("which master? give --master HOST:PORT"))
	}
	// One key for all tries: the master binds a token to the first that it sees.
	key, err := trust.LoadKey(filepath.Join(a.cfg.Data, "key"))
	if err != nil {
		return nil, api.Error(codes.Internal, err)
	}
	pub, err := trust.PublicKey(key)
	if err != nil {
		return nil, api.Error(codes.Internal, err)
	}
	resp, err := a.askToJoin(ctx, address, trust.JoinTLS(tok, key), &upsv1.JoinRequest{Secret: tok.Secret[:], Name: a.cfg.Name, PublicKey: pub})
	if err != nil {
		return nil, err
	}
	for _, s := range a.allSessions() {
		if s.rack.master == resp.GetMaster() {
			return nil, api.Error(codes.AlreadyExists, fmt.Errorf("this node has joined %s already", resp.GetMaster()))
		}
	}
	id, err := trust.NewIdentity(tok, key, resp.GetCertificate(), resp.GetCa())
	if err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	if err := trust.CheckName(resp.GetMaster()); err != nil {
		return nil, api.Error(codes.FailedPrecondition, fmt.Errorf("cannot use the master's name: %w", err))
	}
	if err := id.Save(rackDir(a.cfg.Data, resp.GetMaster())); err != nil {
		return nil, api.Error(codes.Internal, err)
	}
	r := &rack{master: resp.GetMaster(), id: id}
	a.remember(r, address)
	sess := newSession(a, r)
	select {
	case a.joined <- sess:
		return sess, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// askToJoin makes the one call of a key that is not admitted yet.
func (a *Agent) askToJoin(ctx context.Context, address string, cfg *tls.Config, req *upsv1.JoinRequest) (*upsv1.JoinResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	conn, err := api.Dial(address, cfg, a.dial)
	if err != nil {
		return nil, api.Error(codes.InvalidArgument, err)
	}
	defer func() { _ = conn.Close() }()
	resp, err := upsv1.NewTrustServiceClient(conn).Join(ctx, req)
	if err != nil && api.Unreachable(err) {
		return nil, api.Error(codes.FailedPrecondition, fmt.Errorf("cannot reach a master of that token's rack at %s: %s", address, api.Message(err)))
	}
	return resp, err
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
		who, err := s.rack.id.Identify(info.State)
		if err == nil {
			return api.Peer{Name: who.Name, Roles: api.RolesOf(who.Role)}, nil
		}
		errs = append(errs, err)
	}
	return api.Peer{}, errors.Join(errs...)
}
