package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// AskLimit is how long everybody together may take to say how they are: status is
// the first thing that is typed when something is wrong, and whoever asks by way of
// an agent must have the answer within 2 s.
const AskLimit = 1500 * time.Millisecond

// Asked is a node to be asked, and where it may be.
type Asked struct {
	Name      string
	Addresses []string // "HOST:PORT"
}

// AskNodes asks nodes how they are, side by side, for [AskLimit] at most, and
// returns what those that answered say of themselves. cfg must make sure that only
// nodes of the rack are believed; AskNodes makes sure that each is the one asked.
func AskNodes(ctx context.Context, nodes []Asked, cfg *tls.Config, dial Dialer) []*upsv1.NodeStatus {
	ctx, cancel := context.WithTimeout(ctx, AskLimit)
	defer cancel()
	answers := make(chan *upsv1.NodeStatus)
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if st := askNode(ctx, n, cfg, dial); st != nil {
				answers <- st
			}
		})
	}
	go func() { wg.Wait(); close(answers) }()
	var out []*upsv1.NodeStatus
	for st := range answers {
		out = append(out, st)
	}
	return out
}

// askNode asks one node; nil: no answer.
func askNode(ctx context.Context, n Asked, cfg *tls.Config, dial Dialer) *upsv1.NodeStatus {
	conn, st, err := firstAnswer(ctx, n, cfg, dial)
	if err != nil {
		return nil
	}
	_ = conn.Close()
	return st
}

// firstAnswer asks one node how it is at each of its addresses, side by side, and
// returns the connection on which it answered first.
func firstAnswer(ctx context.Context, n Asked, cfg *tls.Config, dial Dialer) (*grpc.ClientConn, *upsv1.NodeStatus, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the first answer ends the others
	cfg = cfg.Clone()
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		// Runs after the chain and the role were verified; the name is the key's.
		if got := cs.PeerCertificates[0].Subject.CommonName; got != n.Name {
			return fmt.Errorf("this is node %s, not %s", got, n.Name)
		}
		return nil
	}
	type answer struct {
		conn *grpc.ClientConn
		st   *upsv1.NodeStatus
		err  error
	}
	answers := make(chan answer, len(n.Addresses))
	for _, a := range n.Addresses {
		go func() {
			conn, err := Dial(a, cfg, dial)
			if err != nil {
				answers <- answer{err: err}
				return
			}
			r, err := upsv1.NewNodeServiceClient(conn).GetNodeStatus(ctx, &upsv1.GetNodeStatusRequest{})
			if err != nil {
				_ = conn.Close()
				answers <- answer{err: fmt.Errorf("%s: %s", a, strings.TrimPrefix(noAnswer(err), "dial tcp "+a+": "))}
				return
			}
			answers <- answer{conn: conn, st: r.GetNode()}
		}()
	}
	var errs []string
	for i := range n.Addresses {
		got := <-answers
		if got.err != nil {
			errs = append(errs, got.err.Error())
			continue
		}
		go func() {
			for range len(n.Addresses) - i - 1 {
				if late := <-answers; late.conn != nil {
					_ = late.conn.Close()
				}
			}
		}()
		return got.conn, got.st, nil
	}
	slices.Sort(errs)
	return nil, nil, errors.New(strings.Join(errs, "; "))
}

// noAnswer says why there is none, for people.
func noAnswer(err error) string {
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Canceled:
		return "no answer"
	case codes.Unimplemented:
		return "its software is older and does not know the question; update it"
	default:
		return Message(err)
	}
}

// NodeAddress returns where a node's NodeService listens, as seen from here: the
// port that it says, at the host that it has connected from. The host that it may
// say is not looked at: a node must not make others dial somebody else. Empty where
// it listens nowhere.
func NodeAddress(listen string, remote net.Addr) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil || remote == nil {
		return ""
	}
	return net.JoinHostPort(Host(remote), port)
}

// Host returns an address without its port; nil has none.
func Host(remote net.Addr) string {
	if remote == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		host = remote.String() // a network in memory
	}
	return host
}
