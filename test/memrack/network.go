package memrack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/probe"
)

// Network is a switch in memory. Addresses are any strings: HOST:PORT, or the path of
// a host's own socket. What goes wrong is said by a host, as Dialer names it, with all
// its ports, or by one address. What stays within a host never goes through the switch.
type Network struct {
	mu        sync.Mutex // guards everything that follows and every connection
	listeners map[string]*listener
	faults    map[string]fault // by host or address
	dead      map[string]bool  // hosts without power
	off       bool
	changed   chan struct{}  // closed when anything of it is another than before
	conns     map[*conn]bool // by the client's end, until both are closed
}

// fault is what is wrong at one place of the network.
type fault struct {
	to, from bool          // nothing arrives there; nothing from there arrives
	slow     time.Duration // more for each message
}

// NewNetwork returns a network without anybody on it.
func NewNetwork() *Network {
	return &Network{
		listeners: map[string]*listener{}, faults: map[string]fault{}, dead: map[string]bool{},
		changed: make(chan struct{}), conns: map[*conn]bool{},
	}
}

// Listen has the form of net.Listen. "unix" addresses are on the same network.
func (n *Network) Listen(_, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: address in use", address)
	}
	l := &listener{network: n, address: address, come: make(chan net.Conn), over: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Dialer returns what has the form of net.Dialer's DialContext, for the host who. While
// either way is cut it gets no answer at all, as behind a dead switch.
func (n *Network) Dialer(who string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		client, server := n.pair(who, address)
		if err := n.roundTrip(ctx, client.out, server.out); err != nil {
			return nil, err
		}
		n.mu.Lock()
		l := n.listeners[address]
		n.conns[client] = true
		n.mu.Unlock()
		err := errRefused
		if l != nil {
			err = l.put(ctx, rootConn{server})
		}
		if err != nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.conns, client)
			return nil, err
		}
		return client, nil
	}
}

var errRefused = errors.New("connection refused")

// Prober returns what asks for the host who whether another is there at all.
func (n *Network) Prober(who string) func(context.Context, string) (probe.Answer, error) {
	return func(_ context.Context, host string) (probe.Answer, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		there, back := &flow{network: n, from: who, to: host}, &flow{network: n, from: host, to: who}
		if n.dead[host] || there.stalled() || back.stalled() || there.takes()+back.takes() > time.Second {
			return probe.Silent, nil
		}
		return probe.Answers, nil
	}
}

// Power switches a host's power, as far as who probes it sees that. It has no part in
// what becomes of its connections.
func (n *Network) Power(host string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[host] = !on
}

// roundTrip lasts as long as a first message and its answer.
func (n *Network) roundTrip(ctx context.Context, there, back *flow) error {
	for {
		n.mu.Lock()
		stalled, takes, changed := there.stalled() || back.stalled(), there.takes()+back.takes(), n.changed
		n.mu.Unlock()
		var over <-chan time.Time
		if !stalled {
			if takes == 0 {
				return ctx.Err()
			}
			over, changed = time.After(takes), nil
		}
		select {
		case <-over:
			return nil
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Cut takes the host off the network, both ways: what is under way stalls, as behind a
// dead switch, and no new connection is made.
func (n *Network) Cut(host string) { n.fault(host, func(f *fault) { f.to, f.from = true, true }) }

// CutTo cuts one way: nothing arrives at the host any more.
func (n *Network) CutTo(host string) { n.fault(host, func(f *fault) { f.to = true }) }

// CutFrom cuts one way: nothing that the host sends arrives any more.
func (n *Network) CutFrom(host string) { n.fault(host, func(f *fault) { f.from = true }) }

// Heal puts the host back. What stalled goes on, unless something else stalls it. What
// was slow stays so.
func (n *Network) Heal(host string) { n.fault(host, func(f *fault) { f.to, f.from = false, false }) }

// Slow makes every message to and from the host take d longer; 0 takes that back. What
// is under way is not overtaken.
func (n *Network) Slow(host string, d time.Duration) { n.fault(host, func(f *fault) { f.slow = d }) }

// Off stalls everything between hosts, as when the switch dies with the mains.
func (n *Network) Off() { n.change(func() { n.off = true }) }

// On is the end of Off. Who is cut off stays so.
func (n *Network) On() { n.change(func() { n.off = false }) }

// fault changes what is wrong with a host or an address.
func (n *Network) fault(host string, change func(*fault)) {
	n.change(func() {
		f := n.faults[host]
		change(&f)
		n.faults[host] = f
	})
}

// change changes what is wrong, and lets everybody look again.
func (n *Network) change(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	close(n.changed)
	n.changed = make(chan struct{})
	for c := range n.conns {
		c.changed.Broadcast()
	}
}

// Drop ends every connection of the host, as when it dies: what was under way on them is
// lost. Who is at their other end hears of it, but not while that way is cut.
func (n *Network) Drop(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for client := range n.conns {
		for _, c := range []*conn{client, client.peer} {
			if c.name == host || hostOf(c.name) == host {
				c.in.waiting, c.out.waiting = nil, nil
				c.closed = false // its last word was lost too
				c.close()
			}
		}
	}
}

// hostOf returns whose address it is.
func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[:i]
	}
	return address
}

// of returns what is wrong with an address, its host's faults too. Network.mu is held.
func (n *Network) of(address string) fault {
	f := n.faults[address]
	if host := hostOf(address); host != address {
		h := n.faults[host]
		f = fault{f.to || h.to, f.from || h.from, f.slow + h.slow}
	}
	return f
}

// listener gives its address back when it is closed.
type listener struct {
	network *Network
	address string
	come    chan net.Conn
	over    chan struct{} // closed when nobody listens any more
	once    sync.Once
}

// put hands over a connection.
func (l *listener) put(ctx context.Context, c net.Conn) error {
	select {
	case l.come <- c:
		return nil
	case <-l.over:
		return errRefused
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Accept returns connections that say which host, and that root, is at the other end.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.come:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.address)
		close(l.over)
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return addr(l.address) }

// addr is a host's address on a [Network].
type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }
