package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lastwatt/lastwatt/api"
)

// askLimit bounds one question and its answer.
const askLimit = 5 * time.Second

// dial returns a connection to whoever is to be asked: what the flags name, a master
// that this user has joined, the master's socket on this host, the agent's.
func (c *cli) dial(ctx context.Context) (*grpc.ClientConn, error) {
	if c.socket == "" {
		conn, err := c.dialJoined()
		if conn != nil || err != nil {
			return conn, err
		}
	}
	if c.master != "" {
		return nil, fmt.Errorf("cannot ask the master at %s: you have not joined it; run 'upsctl --master %s join TOKEN', or ask on a machine of the rack, whose daemon's socket needs no key", c.master, c.master)
	}
	paths := c.sockets
	if c.socket != "" {
		paths = []string{c.socket}
	}
	var tried []string
	for _, path := range paths {
		err := answers(ctx, path)
		if err == nil {
			return api.DialLocal(path)
		}
		tried = append(tried, path+" ("+err.Error()+")")
	}
	return nil, fmt.Errorf("cannot ask: no daemon answers at %s; start upsmaster or upsagent, or name its socket with --socket", strings.Join(tried, " nor "))
}

// answers reports why nobody listens at a socket, in words.
func answers(ctx context.Context, path string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it does not exist")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("its daemon is gone")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied")
	default:
		var sys syscall.Errno
		if errors.As(err, &sys) {
			return sys
		}
		return err
	}
}

// ask dials, asks one question within the limit and hangs up.
func (c *cli) ask(ctx context.Context, what string, question func(context.Context, *grpc.ClientConn) error) error {
	return c.askWithin(ctx, askLimit, what, question)
}

// askWithin is ask for what may take longer.
func (c *cli) askWithin(ctx context.Context, limit time.Duration, what string, question func(context.Context, *grpc.ClientConn) error) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = question(ctx, conn)
	if status.Code(err) == codes.DeadlineExceeded {
		return fmt.Errorf("cannot %s: no answer within %s; see the daemon's log", what, span(limit))
	}
	return refused(what, err)
}

// refused puts an answer that is no answer into words that say what to do.
func refused(what string, err error) error {
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.Unimplemented:
		return fmt.Errorf("cannot %s: this is not the master's socket, and an agent passes on reads only; do it on the master's host", what)
	case codes.PermissionDenied:
		return fmt.Errorf("cannot %s: %s; be root or of group lastwatt", what, api.Message(err))
	case codes.DeadlineExceeded:
		return fmt.Errorf("cannot %s: no answer within %s; see the daemon's log", what, askLimit)
	default:
		return fmt.Errorf("cannot %s: %s", what, api.Message(err))
	}
}
