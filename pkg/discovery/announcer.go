package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Options are what an [Announcer] needs.
type Options struct {
	Service Service
	// Interfaces are names; empty means every one that is up, speaks multicast and is
	// no loopback and no tunnel.
	Interfaces []string
	Log        *slog.Logger // nil: silent
}

// Announcer tells the LAN of one service and answers for it. Each interface is told
// the addresses of that interface only.
type Announcer struct {
	interfaces []string
	log        *slog.Logger
	open       func([]string, *slog.Logger) network
	host       string // random part of our host's name: two machines never share it
	wake       chan struct{}

	mu      sync.Mutex
	service Service
	name    string // the one in use
	err     error
}

// NewAnnouncer makes an Announcer; its Run announces.
func NewAnnouncer(o Options) *Announcer {
	return &Announcer{
		interfaces: o.Interfaces, log: orSilent(o.Log), open: openNetwork,
		host: fmt.Sprintf("%08x", rand.Uint32()), wake: make(chan struct{}, 1),
		service: o.Service, name: o.Service.Name,
	}
}

func (a *Announcer) String() string { return "mdns announcer " + a.get().Kind }

// Set changes what is announced, from now on or from the start of Run. A new kind or
// name is a new service: the old one says goodbye.
func (a *Announcer) Set(s Service) {
	a.mu.Lock()
	if s.Name != a.service.Name || s.Kind != a.service.Kind {
		a.name = s.Name
	}
	a.service = s
	a.mu.Unlock()
	poke(a.wake)
}

// Name is the name in use: the service's own, or with a number ("web1-2") where
// somebody else had it first.
func (a *Announcer) Name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.name
}

// Err says why nothing is announced at present, or nil.
func (a *Announcer) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

func (a *Announcer) get() Service {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.service
}

// report is how the responder tells what it does.
func (a *Announcer) report(name string, err error) {
	a.mu.Lock()
	news := err != nil && (a.err == nil || a.err.Error() != err.Error())
	a.name, a.err = name, err
	a.mu.Unlock()
	if news {
		a.log.Warn("nothing is announced", "err", err)
	}
}

// Run announces until ctx is done and then says goodbye. It returns nil.
func (a *Announcer) Run(ctx context.Context) error {
	nw := a.open(a.interfaces, a.log)
	defer nw.close()
	r := newResponder(nw, a.host, a.log)
	r.configure(time.Now(), a.get())
	r.relink(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		a.report(r.name(), r.problem())
		if at, ok := r.deadline(); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			r.goodbye()
			return nil
		case p := <-nw.packets():
			r.receive(time.Now(), p)
		case <-nw.changed():
			r.relink(time.Now())
		case <-a.wake:
			r.configure(time.Now(), a.get())
		case <-timer.C:
		}
		r.advance(time.Now())
	}
}

func orSilent(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// between is a random time from a to b, so that a rack does not speak as one.
func between(a, b time.Duration) time.Duration { return a + rand.N(b-a+1) }
