package memrack

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// flow is one direction of a connection. Network.mu guards what changes of it.
type flow struct {
	network  *Network
	from, to string    // hosts or addresses
	local    bool      // it does not go through the switch
	waiting  []message // nothing overtakes the first
}

// message is some bytes; none: whoever sends has closed.
type message struct {
	bytes []byte
	due   time.Time
}

// stalled reports whether nothing that goes this way arrives now.
func (f *flow) stalled() bool {
	return !f.local && (f.network.off || f.network.of(f.from).from || f.network.of(f.to).to)
}

// takes returns how much longer a message takes this way now.
func (f *flow) takes() time.Duration {
	if f.local {
		return 0
	}
	return f.network.of(f.from).slow + f.network.of(f.to).slow
}

// arrived returns the first message that waits; nil: none has arrived.
func (f *flow) arrived() *message {
	if len(f.waiting) == 0 || f.stalled() || time.Until(f.waiting[0].due) > 0 {
		return nil
	}
	return &f.waiting[0]
}

// ended reports whether word has arrived that the sender has closed, even if what it
// sent before was not read.
func (f *flow) ended() bool {
	if f.arrived() == nil {
		return false
	}
	last := f.waiting[len(f.waiting)-1]
	return last.bytes == nil && time.Until(last.due) <= 0
}

// conn is one end of a connection.
type conn struct {
	network *Network
	name    string     // a host, or the address that was dialled
	peer    *conn      // the other end
	in, out *flow      // the peer's out and in
	changed *sync.Cond // on network.mu; both ends'

	closed          bool // network.mu guards this and what follows
	readBy, writeBy time.Time
}

// pair returns both ends of a connection from the host who to an address.
func (n *Network) pair(who, address string) (client, server *conn) {
	local := who == "root" || strings.HasPrefix(address, "/") || hostOf(address) == who
	there := &flow{network: n, from: who, to: address, local: local}
	back := &flow{network: n, from: address, to: who, local: local}
	changed := sync.NewCond(&n.mu)
	client = &conn{network: n, name: who, in: back, out: there, changed: changed}
	server = &conn{network: n, name: address, in: there, out: back, changed: changed, peer: client}
	client.peer = server
	return client, server
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	for {
		switch m := c.in.arrived(); {
		case c.closed:
			return 0, net.ErrClosed
		case passed(c.readBy):
			return 0, os.ErrDeadlineExceeded
		case m != nil && m.bytes == nil:
			return 0, io.EOF
		case m != nil:
			n := copy(b, m.bytes)
			if m.bytes = m.bytes[n:]; len(m.bytes) == 0 {
				c.in.waiting = c.in.waiting[1:]
			}
			return n, nil
		}
		c.changed.Wait()
	}
}

// Write implements net.Conn. It never waits, however much is under way: a writer that
// waits with a lock held, as TLS and HTTP/2 do, would stop a bubble's time. That it
// returns does not mean that anything has arrived.
func (c *conn) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case passed(c.writeBy):
		return 0, os.ErrDeadlineExceeded
	case c.in.ended():
		return 0, syscall.EPIPE
	case len(b) > 0:
		c.send(append([]byte(nil), b...))
	}
	return len(b), nil
}

// send puts a message on its way. Network.mu is held.
func (c *conn) send(b []byte) {
	takes := c.out.takes()
	if takes > 0 {
		time.AfterFunc(takes, c.wake)
	}
	c.out.waiting = append(c.out.waiting, message{b, time.Now().Add(takes)})
	c.changed.Broadcast()
}

// wake lets everybody at both ends look again.
func (c *conn) wake() {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.changed.Broadcast()
}

// Close implements net.Conn. What was written before still arrives.
func (c *conn) Close() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.close()
	return nil
}

// close closes this end; that is told to the other like everything else. Network.mu is
// held.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.send(nil)
	if c.peer.closed {
		delete(c.network.conns, c) // one of them is the client's end
		delete(c.network.conns, c.peer)
	}
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.limit(t, &c.readBy, &c.writeBy)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.limit(t, &c.readBy)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.limit(t, &c.writeBy)
	return nil
}

func (c *conn) limit(t time.Time, what ...*time.Time) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	for _, by := range what {
		*by = t
	}
	c.changed.Broadcast()
	if d := time.Until(t); !t.IsZero() && d > 0 {
		time.AfterFunc(d, c.wake)
	}
}

func passed(by time.Time) bool { return !by.IsZero() && time.Until(by) <= 0 }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return addr(c.name) }

// RemoteAddr says who is at the other end.
func (c *conn) RemoteAddr() net.Addr { return addr(c.peer.name) }

// rootConn is a server's end of a connection.
type rootConn struct{ *conn }

// PeerUID says that root calls.
func (rootConn) PeerUID() (int, error) { return 0, nil }
