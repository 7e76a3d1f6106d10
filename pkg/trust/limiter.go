package trust

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Limiter makes tries to join cost time: by the address that they come from, and
// by the token that they name. A token's 128 bits can't be guessed anyway; what it
// saves is the master's time and the space in its journal. It is safe for
// concurrent use and of one size, whatever comes: addresses and tokens share a
// fixed number of buckets, by a hash that nobody outside can foresee.
type Limiter struct {
	seed maphash.Seed

	mu     sync.Mutex // guards what follows
	from   [buckets]bucket
	tokens [buckets]bucket
}

const (
	// buckets bounds memory, and with it all tries together: 1024 / tryEvery.
	buckets = 1024
	// tryBurst is how many tries one has at once: a person who copies badly.
	tryBurst = 10
	// tryEvery gives back one try.
	tryEvery = 10 * time.Second
)

// bucket is the moment at which all tries are back (the generic cell rate
// algorithm, ITU-T I.371): one number, no timer.
type bucket power.Uptime

// ErrTries is the error of one who tried too often.
var ErrTries = errors.New("too many tries")

// NewLimiter returns a Limiter in which nobody has tried yet.
func NewLimiter() *Limiter { return &Limiter{seed: maphash.MakeSeed()} }

// Try counts one try to join with secret from an address, or returns [ErrTries]
// with how long to wait. It is asked before [Authority.Admit], and before anything
// is written down.
func (l *Limiter) Try(now power.Uptime, from net.Addr, secret []byte) error {
	a, t := l.slots(from, secret)
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := max(l.from[a].wait(now), l.tokens[t].wait(now))
	if wait > 0 {
		return fmt.Errorf("%w; wait %s", ErrTries, wait.Round(time.Second)+time.Second)
	}
	l.from[a].take(now)
	l.tokens[t].take(now)
	return nil
}

// Good gives the try back to the address: a hundred machines that join from behind
// one address are no attack. The token's stays taken.
func (l *Limiter) Good(from net.Addr) {
	a, _ := l.slots(from, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from[a] -= bucket(tryEvery)
}

func (l *Limiter) slots(from net.Addr, secret []byte) (address, token uint64) {
	return maphash.String(l.seed, host(from)) % buckets, maphash.Bytes(l.seed, secret) % buckets
}

func (b bucket) wait(now power.Uptime) time.Duration {
	return max(power.Uptime(b), now).Add(tryEvery).Sub(now.Add(tryBurst * tryEvery))
}

func (b *bucket) take(now power.Uptime) { *b = bucket(max(power.Uptime(*b), now).Add(tryEvery)) }

// host returns an address without its port: "" and anything that is no IP address
// are one host.
func host(a net.Addr) string {
	ip, _ := addrOf(a)
	return ip.String()
}

// addrOf returns the IP address of a connection's end. A connection in memory has
// none.
func addrOf(a net.Addr) (netip.Addr, bool) {
	if a == nil {
		return netip.Addr{}, false
	}
	p, err := netip.ParseAddrPort(a.String())
	return p.Addr(), err == nil
}
