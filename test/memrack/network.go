package memrack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc/test/bufconn"
)

// Network is a switch in memory. Addresses are any strings.
type Network struct {
	mu        sync.Mutex // guards everything that follows
	listeners map[string]*listener
	cut       map[string]bool
	conns     map[*conn]bool
}

// NewNetwork returns a network without anybody on it.
func NewNetwork() *Network {
	return &Network{listeners: map[string]*listener{}, cut: map[string]bool{}, conns: map[*conn]bool{}}
}

// window is how many bytes may be under way on one connection.
const window = 64 << 10

// Listen has the form of net.Listen. "unix" addresses are on the same network.
func (n *Network) Listen(_, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: address in use", address)
	}
	l := &listener{Listener: bufconn.Listen(window), network: n, address: address, who: make(chan string, 1)}
	n.listeners[address] = l
	return l, nil
}

// Dialer returns what has the form of net.Dialer's DialContext, for the host who.
func (n *Network) Dialer(who string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		n.mu.Lock()
		l, cut := n.listeners[address], n.cut[who] || n.cut[address]
		n.mu.Unlock()
		if cut {
			// As behind a dead switch: no answer at all.
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if l == nil {
			return nil, errors.New("connection refused")
		}
		c, err := l.dial(ctx, who)
		if err != nil {
			return nil, err
		}
		out := &conn{Conn: c, network: n, ends: [2]string{who, address}, thawed: make(chan struct{})}
		n.mu.Lock()
		n.conns[out] = true
		n.mu.Unlock()
		return out, nil
	}
}

// Cut takes the host (as Dialer names it, or an address) off the network: what is
// under way stalls, as behind a dead switch, and no new connection is made.
func (n *Network) Cut(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[host] = true
}

// Heal puts the host back. What stalled goes on.
func (n *Network) Heal(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, host)
	for c := range n.conns {
		close(c.thawed)
		c.thawed = make(chan struct{})
	}
}

// Drop ends every connection of the host, as when it dies: what was under way on
// them is lost.
func (n *Network) Drop(host string) {
	n.mu.Lock()
	var its []*conn
	for c := range n.conns {
		if c.ends[0] == host || c.ends[1] == host {
			its = append(its, c)
		}
	}
	n.mu.Unlock()
	for _, c := range its {
		_ = c.Close()
	}
}

// listener gives its address back when it is closed.
type listener struct {
	*bufconn.Listener
	network *Network
	address string

	dialling sync.Mutex  // one at a time, so that each is told from the others
	who      chan string // who dials, size one
}

// dial connects, and lets Accept know who does.
func (l *listener) dial(ctx context.Context, who string) (net.Conn, error) {
	l.dialling.Lock()
	defer l.dialling.Unlock()
	select {
	case <-l.who: // one that gave up
	default:
	}
	l.who <- who
	return l.DialContext(ctx)
}

// Accept returns connections that say which host, and that root, is at the other end.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return rootConn{c, <-l.who}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	delete(l.network.listeners, l.address)
	return l.Listener.Close()
}

// rootConn is a server's end of a connection.
type rootConn struct {
	net.Conn
	who string
}

// RemoteAddr says which host has connected.
func (c rootConn) RemoteAddr() net.Addr { return addr(c.who) }

// addr is a host's address on a [Network].
type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }

// PeerUID says that root calls.
func (rootConn) PeerUID() (int, error) { return 0, nil }

// conn is a client's end; it stalls while either end is cut off.
type conn struct {
	net.Conn
	network *Network
	ends    [2]string

	thawed chan struct{} // guarded by network.mu; closed at a Heal
}

// wait stalls while the connection is cut; false when it was closed meanwhile.
func (c *conn) wait() bool {
	for {
		c.network.mu.Lock()
		open, cut, thawed := c.network.conns[c], c.network.cut[c.ends[0]] || c.network.cut[c.ends[1]], c.thawed
		c.network.mu.Unlock()
		if !open || !cut {
			return open
		}
		<-thawed
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.wait() {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if !c.wait() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.network.mu.Lock()
	if c.network.conns[c] {
		delete(c.network.conns, c)
		close(c.thawed)
	}
	c.network.mu.Unlock()
	return c.Conn.Close()
}
