package discovery

import (
	"net/netip"
	"time"
)

// The groups and the port of RFC 6762 §3.
const port = 5353

var (
	group4 = [4]byte{224, 0, 0, 251}
	group6 = [16]byte{0xff, 0x02, 15: 0xfb}
)

// link is an interface that is up.
type link struct {
	index    int
	name     string
	loopback bool
	prefixes []netip.Prefix // its own addresses, sorted
}

// has reports whether it has an address of that family, without which it sends
// nothing.
func (l link) has(v6 bool) bool {
	for _, p := range l.prefixes {
		if p.Addr().Is6() == v6 {
			return true
		}
	}
	return false
}

// near reports whether an address is on this link, as far as one can tell.
func (l link) near(a netip.Addr) bool {
	a = a.WithZone("")
	if a.Is6() && a.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range l.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// paths are the ways out of a link.
func (l link) paths() []path {
	var out []path
	for _, v6 := range []bool{false, true} {
		if l.has(v6) && !(v6 && l.loopback) { // Linux routes no IPv6 group to it
			out = append(out, path{index: l.index, v6: v6})
		}
	}
	return out
}

// path is one family on one interface: a packet comes by one and goes by one.
type path struct {
	index int
	v6    bool
}

type packet struct {
	path path
	from netip.AddrPort
	data []byte
}

// network is what announcer and browser need of the sockets. A test has one in
// memory.
type network interface {
	links() []link
	packets() <-chan packet
	changed() <-chan struct{} // size one: ask for links again
	// send sends to the group if to is the zero address.
	send(p path, to netip.AddrPort, data []byte) error
	problem() error // why nothing is heard, nil if something may be
	close()
}

// failedSend is how soon something is tried again that could not be sent: an
// address that is still being checked for duplicates, for a second or two.
const failedSend = 500 * time.Millisecond

// poke wakes whoever reads a channel of size one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
