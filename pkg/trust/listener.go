package trust

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Limits bounds the connections that a [Listener] holds at a time. 0 is no bound.
type Limits struct {
	Total      int // all together; one more is closed at once
	PerAddress int // from one IP address; one more is closed at once
	PerKey     int // proved to be of one key; Prove refuses one more
	// Unproved bounds those for which Prove was not called yet. One more takes the
	// place of one of them, at random: whoever fills the door with connections that
	// say nothing can't keep it shut, for nobody knows which one goes, and a
	// handshake is quicker than a flood. Set it only where Prove is called.
	Unproved int
}

// ErrConnections is the error for a key with too many connections.
var ErrConnections = errors.New("this key has too many connections; close some")

// Listener is a listener with [Limits]. It is safe for concurrent use. How long a
// handshake may take is for the server behind it to say.
type Listener struct {
	net.Listener
	limits  Limits
	refused atomic.Uint64

	mu       sync.Mutex // guards what follows
	total    int
	addrs    map[netip.Addr]int
	keys     map[string]map[*limited]bool // the connections that each has proved
	unproved []*limited                   // any order; limited.at is the place
}

// limited is a connection that counts until it is closed.
type limited struct {
	net.Conn
	l    *Listener
	addr netip.Addr
	ip   bool // it has an address to be counted by

	// Guarded by l.mu.
	at   int    // place in l.unproved, or nowhere
	key  string // once proved
	gone bool
}

// nowhere is no place in Listener.unproved.
const nowhere = -1

// LimitListener puts limits before l.
func LimitListener(l net.Listener, limits Limits) *Listener {
	return &Listener{Listener: l, limits: limits, addrs: map[netip.Addr]int{}, keys: map[string]map[*limited]bool{}}
}

// Accept returns the next connection within the limits, and closes those beyond.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &limited{Conn: raw, l: l, at: nowhere}
		c.addr, c.ip = addrOf(raw.RemoteAddr())
		victim, ok := l.admit(c)
		if victim != nil {
			victim.reset()
			_ = victim.Close()
		}
		if ok {
			return c, nil
		}
		c.reset()
		_ = raw.Close()
	}
}

// admit counts c, and returns whom it displaced.
func (l *Listener) admit(c *limited) (victim *limited, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.limits.Total > 0 && l.total >= l.limits.Total
	crowd := l.limits.Unproved > 0 && (full || len(l.unproved) >= l.limits.Unproved)
	switch {
	case c.ip && l.limits.PerAddress > 0 && l.addrs[c.addr] >= l.limits.PerAddress,
		full && (!crowd || len(l.unproved) == 0):
		l.refused.Add(1)
		return nil, false
	case crowd && len(l.unproved) > 0:
		victim = l.unproved[rand.IntN(len(l.unproved))]
		l.forget(victim)
		l.refused.Add(1)
	}
	l.total++
	if c.ip {
		l.addrs[c.addr]++
	}
	c.at = len(l.unproved)
	l.unproved = append(l.unproved, c)
	return victim, true
}

// forget takes c off all counts; the caller holds l.mu.
func (l *Listener) forget(c *limited) {
	if c.gone {
		return
	}
	c.gone = true
	l.total--
	l.unlist(c)
	if c.ip {
		countDown(l.addrs, c.addr)
	}
	if c.key != "" {
		if delete(l.keys[c.key], c); len(l.keys[c.key]) == 0 {
			delete(l.keys, c.key)
		}
	}
}

// unlist takes c off the unproved ones.
func (l *Listener) unlist(c *limited) {
	if c.at == nowhere {
		return
	}
	last := l.unproved[len(l.unproved)-1]
	l.unproved[c.at], last.at = last, c.at
	l.unproved[len(l.unproved)-1] = nil
	l.unproved = l.unproved[:len(l.unproved)-1]
	c.at = nowhere
}

func countDown[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] == 0 {
		delete(m, k)
	}
}

// Prove says that a handshake has shown that a member is at the other end of c, a
// connection of this listener or anything else: key is its fingerprint. An error
// says that the connection is to be closed. A key that is no member's proves
// nothing: anybody makes a thousand of them.
func (l *Listener) Prove(c net.Conn, key string) error {
	lc, ok := c.(*limited)
	if !ok || lc.l != l {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case lc.gone:
		return net.ErrClosed
	case lc.key != "":
		return nil
	case l.limits.PerKey > 0 && len(l.keys[key]) >= l.limits.PerKey:
		return ErrConnections
	}
	l.unlist(lc)
	lc.key = key
	if l.keys[key] == nil {
		l.keys[key] = map[*limited]bool{}
	}
	l.keys[key][lc] = true
	return nil
}

// Drop closes every connection that was proved to be of one key: whoever is sent
// away goes now, whatever it has open.
func (l *Listener) Drop(key string) {
	l.mu.Lock()
	var conns []*limited
	for c := range l.keys[key] {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// Refused returns how many connections were closed because of a limit.
func (l *Listener) Refused() uint64 { return l.refused.Load() }

// Close closes the connection and takes it off the counts.
func (c *limited) Close() error {
	c.l.mu.Lock()
	c.l.forget(c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// reset makes closing cost nothing but one packet: a flood must not leave the
// master a minute of TIME_WAIT for each (RFC 9293 §3.6.1).
func (c *limited) reset() {
	if t, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0)
	}
}
