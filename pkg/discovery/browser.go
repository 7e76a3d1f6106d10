package discovery

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Times of RFC 6762 §5.2.
const (
	firstMin, firstMax = answerMin, answerMax
	// queryGrowth makes the questions come at 0, 1, 4, 13, 40 s, and then at each
	// queryMost: half of our own ttl, at which answers stop being known.
	firstGap, queryGrowth, queryMost = time.Second, 3, 60 * time.Second
)

// packetRoom is what a question's known answers may fill: an Ethernet frame less the
// headers, and something to spare.
const packetRoom = 1400

// BrowserOptions are what a [Browser] needs.
type BrowserOptions struct {
	Kinds []string // KindMaster, KindAgent
	// Interfaces are as those of [Options].
	Interfaces []string
	Log        *slog.Logger // nil: silent
}

// Browser finds the services of some kinds, and loses them again: when they say
// goodbye, when their interface goes, and when they have not been heard of for their
// records' time, however often they were asked.
type Browser struct {
	kinds      []string
	interfaces []string
	log        *slog.Logger
	open       func([]string, *slog.Logger) network
	changed    chan struct{}

	mu    sync.Mutex
	cache *cache
	err   error
}

// NewBrowser makes a Browser; its Run finds.
func NewBrowser(o BrowserOptions) *Browser {
	log := orSilent(o.Log)
	b := &Browser{
		interfaces: o.Interfaces, log: log, open: openNetwork, changed: make(chan struct{}, 1),
	}
	for _, kind := range o.Kinds {
		if !validKind(kind) {
			log.Error("cannot browse for a kind that is none", "kind", kind)
			continue
		}
		b.kinds = append(b.kinds, kind)
	}
	b.cache = newCache(b.kinds)
	return b
}

func (b *Browser) String() string { return "mdns browser " + strings.Join(b.kinds, " ") }

// Found returns what is there at present, sorted by kind, name and interface.
func (b *Browser) Found() []Instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cache.found()
}

// Changed delivers something after what Found returns has changed. It has room for
// one: many changes may be one delivery.
func (b *Browser) Changed() <-chan struct{} { return b.changed }

// Err says why nothing can be found at present, or nil.
func (b *Browser) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// asker is when a path is asked next.
type asker struct {
	at  time.Time
	gap time.Duration
}

// Run browses until ctx is done. It returns nil.
func (b *Browser) Run(ctx context.Context) error {
	nw := b.open(b.interfaces, b.log)
	defer nw.close()
	askers := map[path]*asker{}
	b.relink(nw, askers, time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		b.report(nw.problem())
		if at, ok := b.deadline(askers); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case p := <-nw.packets():
			// What could be read of it. Port: RFC 6762 §6.
			if m, _ := parse(p.data); m.response && p.from.Port() == port {
				b.update(func(c *cache) { c.take(time.Now(), p.path.index, m) })
			}
		case <-nw.changed():
			b.relink(nw, askers, time.Now())
		case <-timer.C:
		}
		b.advance(nw, askers, time.Now())
	}
}

// update changes the cache and tells whoever waits if that changed what is found.
func (b *Browser) update(f func(*cache)) {
	b.mu.Lock()
	f(b.cache)
	changed, full := b.cache.changed, b.cache.full
	b.cache.changed, b.cache.full = false, false
	b.mu.Unlock()
	if changed {
		poke(b.changed)
	}
	if full {
		b.log.Warn("more services are announced than are kept: somebody fills this LAN", "kept", maxInstances)
	}
}

func (b *Browser) report(err error) {
	b.mu.Lock()
	news := err != nil && (b.err == nil || b.err.Error() != err.Error())
	b.err = err
	b.mu.Unlock()
	if news {
		b.log.Warn("nothing can be found", "err", err)
	}
}

func (b *Browser) relink(nw network, askers map[path]*asker, now time.Time) {
	present := map[path]bool{}
	links := nw.links()
	b.mu.Lock()
	before := maps.Clone(b.cache.links)
	b.mu.Unlock()
	b.update(func(c *cache) { c.relink(links) })
	for _, l := range links {
		for _, p := range l.paths() {
			present[p] = true
			// Another address may be another LAN.
			if askers[p] == nil || !slices.Equal(before[p.index].prefixes, l.prefixes) {
				askers[p] = &asker{at: now.Add(between(firstMin, firstMax)), gap: firstGap}
			}
		}
	}
	for p := range askers {
		if !present[p] {
			delete(askers, p)
		}
	}
}

func (b *Browser) deadline(askers map[path]*asker) (time.Time, bool) {
	b.mu.Lock()
	at := b.cache.next
	b.mu.Unlock()
	for _, a := range askers {
		if at.IsZero() || a.at.Before(at) {
			at = a.at
		}
	}
	return at, !at.IsZero()
}

// advance asks and forgets what is due.
func (b *Browser) advance(nw network, askers map[path]*asker, now time.Time) {
	var wanted map[int]wants
	b.update(func(c *cache) {
		if !c.next.IsZero() && !now.Before(c.next) {
			wanted = c.advance(now)
		}
	})
	for p, a := range askers {
		w := wanted[p.index]
		regular := !a.at.After(now)
		if !regular && w.none() {
			continue
		}
		err := b.ask(nw, p, now, w, regular)
		switch {
		case err != nil:
			b.log.Debug("cannot ask", "interface", p.index, "ipv6", p.v6, "err", err)
			if regular {
				a.at = now.Add(failedSend)
			}
		case regular:
			a.at = now.Add(a.gap)
			a.gap = min(a.gap*queryGrowth, queryMost)
		}
	}
}

// ask sends the questions for a path: for all kinds if it is time for that, else for
// what the cache wants.
func (b *Browser) ask(nw network, p path, now time.Time, w wants, regular bool) error {
	var questions []dns.Question
	add := func(name string, qtype uint16) {
		questions = append(questions, dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET})
	}
	var known []dns.RR
	for _, kind := range b.kinds {
		if regular || w.kinds[kind] {
			add(kind+".local.", dns.TypePTR)
			b.mu.Lock()
			known = append(known, b.cache.known(p.index, kind, now)...)
			b.mu.Unlock()
		}
	}
	for _, name := range w.instances {
		add(name, dns.TypeSRV)
		add(name, dns.TypeTXT)
	}
	for _, name := range w.hosts {
		add(name, dns.TypeA)
		add(name, dns.TypeAAAA)
	}
	if len(questions) == 0 {
		return nil
	}
	for {
		n := fitting(questions, known)
		data, err := query(questions, known[:n], nil, n < len(known))
		if err != nil {
			return err
		}
		if err := nw.send(p, netip.AddrPort{}, data); err != nil {
			return err
		}
		if n == len(known) {
			return nil
		}
		questions, known = nil, known[n:]
	}
}

// fitting is how many known answers go into one packet, at least one. The kind's
// name, twice in each, is there once and then is two bytes.
func fitting(questions []dns.Question, known []dns.RR) int {
	size := 12
	for _, q := range questions {
		size += len(q.Name) + 6
	}
	for i, rr := range known {
		kind := len(rr.Header().Name)
		if i == 0 {
			size += kind
		}
		if size += dns.Len(rr) - 2*(kind-1); size > packetRoom && i > 0 {
			return i
		}
	}
	return len(known)
}
