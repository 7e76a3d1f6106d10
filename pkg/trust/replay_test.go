package trust

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

func newPipe() (near, far net.Conn, done func()) {
	near, far = net.Pipe()
	return near, far, func() { _, _ = near.Close(), far.Close() }
}

// tape keeps what goes out and what comes in.
type tape struct {
	net.Conn
	mu      sync.Mutex
	out, in bytes.Buffer
}

func (c *tape) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.out.Write(b)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *tape) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	c.in.Write(b[:n])
	c.mu.Unlock()
	return n, err
}

// overTCP joins two ends by loopback, each with a time limit.
func overTCP(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, l, err)
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	must(t, client, err)
	server, err = l.Accept()
	must(t, server, err)
	for _, c := range []net.Conn{client, server} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return client, server
}

// record plays a whole conversation: the client asks, the server answers. It returns
// every byte of each direction.
func record(t *testing.T, client, server *tls.Config) (up, down []byte) {
	t.Helper()
	c, s := overTCP(t)
	heard := make(chan error, 1)
	go func() {
		srv := tls.Server(s, server)
		b := make([]byte, len("shut down"))
		_, err := io.ReadFull(srv, b)
		if err == nil {
			_, err = srv.Write([]byte("BATLOW"))
		}
		heard <- err
	}()
	taped := &tape{Conn: c}
	cli := tls.Client(taped, client)
	if _, err := cli.Write([]byte("shut down")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(cli, make([]byte, len("BATLOW"))); err != nil {
		t.Fatal(err)
	}
	if err := <-heard; err != nil {
		t.Fatal(err)
	}
	return taped.out.Bytes(), taped.in.Bytes()
}

// TestLaw08ReplayedClient: whoever taped all that an operator ever sent gets nothing
// by sending it again: not at once, not later, not to a restarted master or a node.
func TestLaw08ReplayedClient(t *testing.T) {
	a := newAuthority(t)
	ann, web1 := join(t, a, "ann", RoleOperator), join(t, a, "web1", RoleNode)
	toMaster, _ := record(t, DialTLS(ann, RoleMaster.ServerName()), a.ServerTLS())
	toNode, _ := record(t, DialTLS(ann, RoleNode.ServerName()), ServeTLS(web1))
	tok := newToken(t, a, RoleNode)
	joining, _ := record(t, JoinTLS(tok, newKey(t)), a.ServerTLS())
	for name, tt := range map[string]struct {
		tape   []byte
		server *tls.Config
	}{
		"an operator's words to the master":     {toMaster, a.ServerTLS()},
		"an operator's words to a node":         {toNode, ServeTLS(web1)},
		"a join":                                {joining, a.ServerTLS()},
		"its first flight, over and over":       {bytes.Repeat(toMaster[:recordLen(toMaster)], 20), a.ServerTLS()},
		"all but the first flight":              {toMaster[recordLen(toMaster):], a.ServerTLS()},
		"words to the master, played to a node": {toMaster, ServeTLS(web1)},
	} {
		c, s := overTCP(t)
		go func() {
			_, _ = c.Write(tt.tape)
			_, _ = io.Copy(io.Discard, c)
		}()
		srv := tls.Server(s, tt.server)
		err := srv.Handshake()
		var n int
		if err == nil {
			n, _ = srv.Read(make([]byte, 100))
		}
		_ = s.Close()
		if err == nil || n != 0 || srv.ConnectionState().HandshakeComplete {
			t.Errorf("%s: the handshake is done, %d bytes were believed", name, n)
		}
		if _, err := a.Identify(srv.ConnectionState()); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: it is taken for somebody: %v", name, err)
		}
	}
}

// TestLaw08ReplayedMaster: a tape of the master that told of an outage tells a node
// nothing.
func TestLaw08ReplayedMaster(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	client := func() *tls.Config { return DialTLS(web1, RoleMaster.ServerName()) }
	_, down := record(t, client(), a.ServerTLS())
	c, s := overTCP(t)
	go func() {
		_, _ = s.Write(down)
		_, _ = io.Copy(io.Discard, s)
	}()
	cli := tls.Client(c, client())
	if err := cli.Handshake(); err == nil {
		t.Error("the handshake is done")
	}
	if n, err := cli.Read(make([]byte, 100)); err == nil || n != 0 {
		t.Errorf("%d bytes were believed", n)
	}
}

// TestNothingIsResumed: a session that could be taken up again would outlive a
// removal, and 0-RTT data can be replayed (RFC 8446 §8).
func TestNothingIsResumed(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	greedy := DialTLS(web1, RoleMaster.ServerName())
	greedy.SessionTicketsDisabled = false
	greedy.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for range 3 {
		cli, srv, cerr, serr := shake(t, greedy, a.ServerTLS())
		if cerr != nil || serr != nil || cli.DidResume || srv.DidResume {
			t.Errorf("resumed %v %v; %v, %v", cli.DidResume, srv.DidResume, cerr, serr)
		}
	}
	if got, ok := greedy.ClientSessionCache.Get(RoleMaster.ServerName()); ok || got != nil {
		t.Error("the master gave out a ticket")
	}
}

// recordLen is the length of the first TLS record (RFC 8446 §5.1).
func recordLen(b []byte) int { return 5 + int(b[3])<<8 + int(b[4]) }
