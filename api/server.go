package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// Limits of every server and connection. Our largest messages are the status of a
// rack of hundreds, some tens of KiB, and a CA with its roster.
const (
	maxMessage   = 4 << 20          // bytes
	maxStreams   = 32               // per connection; an agent needs two
	handshake    = 10 * time.Second // whole, TLS and HTTP/2 preface
	window       = 256 << 10        // bytes; a fixed one spares the pings by which grpc-go measures a path
	pingInterval = 10 * time.Second // the least that grpc-go's client keeps to (internal.KeepaliveMinPingTime)
)

// NewServer returns a gRPC server that lets in whom identify knows and the proto
// allows, and nobody else.
func NewServer(creds credentials.TransportCredentials, identify Identify) *grpc.Server {
	g := guard{identify: identify, allowed: Allowed()}
	return grpc.NewServer(
		grpc.Creds(creds),
		grpc.ChainUnaryInterceptor(g.unary),
		grpc.ChainStreamInterceptor(g.stream),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshake),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		// A dead agent's connection is noticed within 4 s; the client's own pings
		// are tolerated (the default would close a connection that pings each 10 s).
		// A connection on which nothing is asked is closed: an agent's has its stream.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Second, Timeout: 2 * time.Second, MaxConnectionIdle: time.Minute}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingInterval / 2, PermitWithoutStream: true}),
	)
}

// Dialer makes a network connection; net.Dialer's DialContext is one.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Listener listens; net.Listen is one.
type Listener func(network, address string) (net.Listener, error)

// Dial returns a connection to address ("HOST:PORT") over TLS as cfg says. The
// network is touched at the first call, not before.
func Dial(address string, cfg *tls.Config, dial Dialer) (*grpc.ClientConn, error) {
	// The address goes around grpc's URLs, in which the zone of fe80::1%eth0 is a
	// broken escape.
	return grpc.NewClient("passthrough:///peer",
		grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, "tcp", address) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
		// Addresses are the operator's own; a proxy from the environment would be
		// somebody else between a node and its power.
		grpc.WithNoProxy(),
	)
}

// DialLocal returns a connection to a daemon's socket at path.
func DialLocal(path string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+path,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
	)
}

// Error returns err for the wire: the domain's refusals keep their kind.
func Error(code codes.Code, err error) error {
	if err == nil {
		return nil
	}
	return status.Error(code, err.Error())
}

// Message returns what a peer's error says, for people, without gRPC's wrapping.
func Message(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	// grpc-go wraps what the network said: connection error: desc = "transport: …".
	if quoted, ok := strings.CutPrefix(text, "connection error: desc = "); ok {
		if plain, err := strconv.Unquote(quoted); err == nil {
			text = plain
		}
	}
	for _, wrap := range []string{"transport: Error while dialing: ", "transport: authentication handshake failed: "} {
		text = strings.TrimPrefix(text, wrap)
	}
	return text
}

// Unreachable reports whether err says that the other side could not be asked at
// all, rather than that it refused.
func Unreachable(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	default:
		return false
	}
}

// retryServing is how often what could not be served is tried again.
const retryServing = 10 * time.Second

// Serve opens a server and its listener and serves until ctx ends, then gives calls
// under way limit to end by themselves. What fails is told and tried again, as by
// [Keep].
func Serve(ctx context.Context, open func() (*grpc.Server, net.Listener, error), limit time.Duration, trouble func(error)) error {
	return Keep(ctx, func() (func() error, func(), error) {
		srv, l, err := open()
		if err != nil {
			return nil, nil, err
		}
		serve := func() error {
			if err := srv.Serve(l); err != nil {
				return fmt.Errorf("cannot serve on %s: %w", l.Addr(), err)
			}
			return nil
		}
		return serve, func() { Stop(srv, limit) }, nil
	}, trouble)
}

// Keep opens something and has it serve until ctx ends, when stop is called and
// serve has to return. What fails is told to trouble and tried again, for ever:
// nobody's protection hangs on being asked (law 10). trouble is told nil when it
// works.
func Keep(ctx context.Context, open func() (serve func() error, stop func(), err error), trouble func(error)) error {
	for {
		serve, stop, err := open()
		if err == nil {
			trouble(nil)
			done := context.AfterFunc(ctx, stop)
			err = serve()
			done()
		}
		if ctx.Err() != nil {
			return nil
		}
		trouble(err)
		t := time.NewTimer(retryServing)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// Stop ends s: calls under way get limit to end by themselves, then are cut.
func Stop(s *grpc.Server, limit time.Duration) {
	done := make(chan struct{})
	go func() { s.GracefulStop(); close(done) }()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		s.Stop()
	}
	<-done
}
