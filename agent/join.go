package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

const (
	joinLimit   = 10 * time.Second // to be admitted
	attachLimit = 15 * time.Second // from admission to the first state heard
)

// AskToJoin makes the agent that listens on socket join a rack, by the master at
// address ("": as its configuration says), waits until it is attached, and returns
// what now holds, in words.
func AskToJoin(ctx context.Context, socket, token, address string) (string, error) {
	conn, err := api.DialLocal(socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	r, err := upsv1.NewNodeServiceClient(conn).JoinRack(ctx, &upsv1.JoinRackRequest{Token: token, Master: address})
	switch {
	case err != nil && api.Unreachable(err):
		return "", notRunning(socket)
	case err != nil:
		return "", errors.New(api.Message(err))
	}
	return fmt.Sprintf("%s joined %s: on ups %s, %s", r.GetNode(), r.GetMaster(), strings.Join(r.GetFeeds(), ", "), r.GetGrace()), nil
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
	grace := "grace " + config.FormatDuration(p.Grace)
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
	// The key is the rack's now. A later join begins with a new one: a master that
	// removed this node never admits the old one again.
	if err := os.RemoveAll(filepath.Join(a.cfg.Data, "key")); err != nil {
		a.log.Warn("cannot delete the key that was used to join; joining another rack will use it too", "err", err)
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
