package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Answer is what a probe found out.
type Answer uint8

// The answers.
const (
	Unknown Answer = 0 // nobody could ask, or what came says neither
	Silent  Answer = 1 // it was asked and did not answer
	Answers Answer = 2
)

// String returns the answer in a word.
func (a Answer) String() string {
	switch a {
	case Silent:
		return "silent"
	case Answers:
		return "answers"
	default:
		return "unknown"
	}
}

// limit is how long an answer may take: a machine of the rack needs a millisecond, and
// the kernel asks for its hardware address three times within 3 s.
const limit = time.Second

// fresh is how old the kernel's last proof that a neighbour is there may be to count as
// one of now.
const fresh = limit + time.Second

// Prober probes machines. It remembers of each whether it answers echoes, because only
// then a missing echo says anything. Its zero value is not usable; see [New].
type Prober struct {
	sys system

	mu     sync.Mutex
	echoes map[netip.Addr]bool // who has ever answered one
}

// system is what a prober needs of this machine.
type system interface {
	// ready says why this machine can't ask that one, nil if it can: it has no way
	// there, or no carrier.
	ready(to netip.Addr) error
	// echo asks for an echo until ctx ends, and reports whether it came. An error says
	// that it could not ask.
	echo(ctx context.Context, to netip.Addr) (bool, error)
	// rouse sends something that nobody has to answer, so that the kernel has to know
	// the hardware address.
	rouse(to netip.Addr) error
	// neighbour returns what the kernel knows of a machine on one of its own networks.
	neighbour(of netip.Addr) (neighbour, error)
}

// neighbour is what the kernel knows of a machine's hardware address.
type neighbour struct {
	state     resolution
	confirmed time.Duration // how long ago it was last proved
}

// resolution is how far the kernel is with a hardware address.
type resolution uint8

const (
	none    resolution = iota // it doesn't ask for it: it is beyond a router, or written down
	old                       // it was there, and has not been asked again
	missing                   // it was asked and has not answered
	proved                    // it has answered
)

// New returns a prober of this machine's network.
func New() *Prober { return newProber(theSystem()) }

func newProber(sys system) *Prober { return &Prober{sys: sys, echoes: map[netip.Addr]bool{}} }

// Probe asks the machine at host, an IP address, whether it is there. An error goes with
// [Unknown] only, and says why nobody could ask.
func (p *Prober) Probe(ctx context.Context, host string) (Answer, error) {
	to, err := netip.ParseAddr(host)
	if err != nil {
		return Unknown, fmt.Errorf("cannot probe %q: %w; an IP address is needed", host, err)
	}
	to = to.Unmap()
	if err := p.sys.ready(to); err != nil {
		return Unknown, fmt.Errorf("cannot probe %s: %w", to, err)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	echoed, err := p.sys.echo(limited, to)
	if echoed {
		p.mu.Lock()
		p.echoes[to] = true
		p.mu.Unlock()
		return Answers, nil
	}
	if err != nil { // then the neighbours alone have to say it
		if err := p.sys.rouse(to); err != nil {
			return Unknown, fmt.Errorf("cannot probe %s: %w", to, err)
		}
		<-limited.Done()
	}
	if ctx.Err() != nil {
		return Unknown, fmt.Errorf("cannot probe %s: %w", to, context.Cause(ctx))
	}
	n, nerr := p.sys.neighbour(to)
	switch {
	case nerr != nil:
		n = neighbour{}
	case n.state == proved && n.confirmed <= fresh:
		return Answers, nil
	case n.state == missing:
		return Silent, nil
	}
	p.mu.Lock()
	asked := err == nil && p.echoes[to]
	p.mu.Unlock()
	switch {
	case asked:
		return Silent, nil
	case n.state == none && err != nil:
		return Unknown, fmt.Errorf("cannot probe %s: %w, and it is not on a network of this machine", to, err)
	default:
		return Unknown, nil
	}
}

// carrier says why no frame leaves this machine towards another; nil: one would. A dead
// switch must not be taken for dead machines.
func carrier(to netip.Addr) error {
	// Connecting a datagram socket sends nothing: it only asks for the way there.
	c, err := net.Dial("udp", net.JoinHostPort(to.String(), "9")) // discard(9), RFC 863
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	from, _ := c.LocalAddr().(*net.UDPAddr)
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		if !has(i, from) {
			continue
		}
		if i.Flags&net.FlagRunning == 0 {
			return fmt.Errorf("%s has no carrier", i.Name)
		}
		return nil
	}
	return nil // an address of no interface: nothing to say
}

// has reports whether an interface bears an address.
func has(i net.Interface, a *net.UDPAddr) bool {
	if a == nil || a.Zone != "" && a.Zone != i.Name {
		return false
	}
	all, err := i.Addrs()
	if err != nil {
		return false
	}
	for _, b := range all {
		if n, ok := b.(*net.IPNet); ok && n.IP.Equal(a.IP) {
			return true
		}
	}
	return false
}
