package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// leaveLimit is how long the master may take to strike this node off its roster.
const leaveLimit = 5 * time.Second

// AskToLeave makes the agent that listens on socket leave a rack ("": the only one
// that it joined) and returns what now holds, in words.
func AskToLeave(ctx context.Context, socket, master string) (string, error) {
	conn, err := api.DialLocal(socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	r, err := upsv1.NewNodeServiceClient(conn).LeaveRack(ctx, &upsv1.LeaveRackRequest{Master: master})
	switch {
	case err != nil && api.Unreachable(err):
		return "", notRunning(socket)
	case err != nil:
		return "", errors.New(api.Message(err))
	case r.GetUntold() != "":
		return fmt.Sprintf("left %s, which could not be told (%s); run there: upsctl node remove NAME", r.GetMaster(), r.GetUntold()), nil
	}
	return "left " + r.GetMaster() + "; nobody tells this machine of a power failure now", nil
}

// notRunning says that nobody answers on the agent's socket.
func notRunning(socket string) error {
	return fmt.Errorf("cannot reach the agent at %s: is it running? start it with: systemctl start upsagent", socket)
}

// LeaveRack makes this node leave a rack: the session ends, the driver forgets the
// master, the master strikes the node off, the identity is deleted. On battery it
// is refused, and nothing is changed.
func (s nodeService) LeaveRack(ctx context.Context, req *upsv1.LeaveRackRequest) (*upsv1.LeaveRackResponse, error) {
	a := s.a
	a.busy.Add(1)
	defer a.busy.Add(-1)
	sess, err := a.joinedTo(req.GetMaster())
	if err != nil {
		return nil, api.Error(codes.NotFound, err)
	}
	sess.mu.Lock()
	name := sess.master // as the driver knows it
	sess.mu.Unlock()
	// Once while the session lives, so that a refusal changes nothing; and once more
	// when it has ended, for what it may have heard in between.
	if err := a.driver.Forget(name); err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	sess.end()
	<-sess.ended
	if err := a.driver.Forget(name); err != nil {
		a.drop(sess)
		a.start(newSession(a, sess.rack))
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	out := &upsv1.LeaveRackResponse{Master: sess.rack.master}
	if err := sess.strikeOff(ctx); err != nil {
		out.Untold = api.Message(err)
	}
	a.drop(sess)
	a.announce()
	if err := os.RemoveAll(rackDir(a.cfg.Data, sess.rack.master)); err != nil {
		return nil, api.Error(codes.Internal, fmt.Errorf("left %s, but its identity could not be deleted: %w", sess.rack.master, err))
	}
	a.log.Info("left a rack", "rack", sess.rack.master, "untold", out.GetUntold())
	return out, nil
}

// joinedTo returns the session with a master; "" is the only one there is.
func (a *Agent) joinedTo(master string) (*session, error) {
	all := a.allSessions()
	for _, s := range all {
		if s.rack.master == master || master == "" && len(all) == 1 {
			return s, nil
		}
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("this node has joined no rack")
	case master == "":
		return nil, errors.New("this node has joined several racks; name the one to leave")
	default:
		return nil, fmt.Errorf("this node has not joined %s", master)
	}
}

// drop takes a session that has ended off the list.
func (a *Agent) drop(s *session) {
	a.mu.Lock()
	a.sessions = slices.DeleteFunc(a.sessions, func(o *session) bool { return o == s })
	a.mu.Unlock()
	a.driver.LookAgain()
}

// strikeOff asks the master to take this node off its roster.
func (s *session) strikeOff(ctx context.Context) error {
	s.mu.Lock()
	address := s.address
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	conn, err := api.Dial(address, s.rack.dialTLS(), s.a.dial)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = upsv1.NewPowerServiceClient(conn).Leave(ctx, &upsv1.LeaveRequest{})
	return err
}
