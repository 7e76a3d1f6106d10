package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// attachLimit is how long a join waits from admission to the first state heard.
const attachLimit = 15 * time.Second

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
	s.a.busy.Add(1)
	defer s.a.busy.Add(-1)
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

const (
	// findPatience is how long whoever wants to join waits to be shown a master: an
	// agent that has just been started has not heard all answers (1.2 s for the last
	// of 200, measured), and one may be lost.
	findPatience = 5 * time.Second
	findEvery    = 200 * time.Millisecond
)

// reachRack returns the address of the master that cfg proves, at address or, where
// that is empty, wherever masters are configured or announce themselves.
func (a *Agent) reachRack(ctx context.Context, address string, cfg *tls.Config) (string, error) {
	if address != "" {
		address, err := api.Reach(ctx, []string{address}, cfg, a.dial)
		if err != nil {
			err = fmt.Errorf("no master of that token's rack was found: %w", err)
		}
		return address, err
	}
	var tried []string
	err := errors.New("no master announces itself here, and none is configured; give --master HOST:PORT")
	for give := time.Now().Add(findPatience); ; {
		if where := a.lookFor(ctx, ""); len(where) > 0 && !slices.Equal(where, tried) {
			found, unreached := api.Reach(ctx, where, cfg, a.dial)
			if unreached == nil {
				return found, nil
			}
			tried, err = where, fmt.Errorf("no master of that token's rack was found: %w", unreached)
		}
		if a.lan == nil || time.Now().After(give) || !sleep(ctx, findEvery, nil) {
			return "", err
		}
	}
}

// join proves the token to the master at address, keeps the identity, and begins
// a session. What is refused leaves nothing behind.
func (a *Agent) join(ctx context.Context, token, address string) (*session, error) {
	tok, err := trust.ParseToken(token)
	if err != nil {
		return nil, api.Error(codes.InvalidArgument, err)
	}
	// One key for all tries: the master binds a token to the first that it sees.
	key, err := trust.LoadKey(filepath.Join(a.cfg.Data, "key"))
	if err != nil {
		return nil, api.Error(codes.Internal, err)
	}
	if address, err = a.reachRack(ctx, address, trust.JoinTLS(tok, key)); err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	id, master, err := api.Join(ctx, address, tok, key, a.cfg.Name, a.dial)
	if err != nil {
		return nil, err
	}
	if id.Role() != trust.RoleNode {
		return nil, api.Error(codes.FailedPrecondition, fmt.Errorf("that token was for a person (%s), not for a machine, and is used up; ask for a new one: upsctl token create", id.Role()))
	}
	if err := id.Save(rackDir(a.cfg.Data, master)); err != nil {
		return nil, api.Error(codes.Internal, err)
	}
	// A member may come back by a new key: the master refuses the old one by now,
	// because it was removed or replaced. It need not leave first: on battery it could
	// not, and would never hear that the power is back.
	if old, err := a.joinedTo(master); err == nil {
		old.end()
		<-old.ended
		a.drop(old)
	}
	// The key is the rack's now. A later join begins with a new one: a master that
	// removed this node never admits the old one again.
	if err := os.RemoveAll(filepath.Join(a.cfg.Data, "key")); err != nil {
		a.log.Warn("cannot delete the key that was used to join; joining another rack will use it too", "err", err)
	}
	r := newRack(master, id, trust.Removed{})
	a.remember(r, address)
	sess := newSession(a, r)
	a.start(sess)
	return sess, nil
}
