package discovery

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// goodbyeStays is how long a record lives on that was taken back: long enough for
	// whoever it belongs to to contradict (RFC 6762 §10.1, §10.2).
	goodbyeStays = time.Second
	// wantEvery is how soon an instance that is incomplete is asked for, growing, and
	// wantMost how many at once.
	wantEvery, wantMost = time.Second, 16
)

// refreshAt are the parts of its life after which a record is asked for again (RFC
// 6762 §5.2).
var refreshAt = []int{80, 90, 95} // percent

// lease is how long something is believed.
type lease struct {
	since time.Time
	life  time.Duration
	asked int // refreshes
}

func newLease(now time.Time, life time.Duration) lease {
	if life <= 0 {
		life = goodbyeStays
	}
	return lease{since: now, life: min(life, maxTTL)}
}

func (l lease) end() time.Time { return l.since.Add(l.life) }

// over reports whether it has ended, or never began.
func (l lease) over(now time.Time) bool { return !now.Before(l.end()) }

// fresh reports whether at least half of it is left.
func (l lease) fresh(now time.Time) bool { return now.Sub(l.since) <= l.life/2 }

// refresh is when to ask next. What lives for a second has been taken back.
func (l lease) refresh() (time.Time, bool) {
	if l.asked >= len(refreshAt) || l.life <= goodbyeStays {
		return time.Time{}, false
	}
	return l.since.Add(l.life / 100 * time.Duration(refreshAt[l.asked])), true
}

// entry is an instance of one of our kinds on one link.
type entry struct {
	kind, name string // name is printable
	full       string // the instance's name as DNS writes it
	pointer    lease
	srv, txt   lease
	host       string // key
	hostName   string
	port       uint16
	text       map[string]string
	tries      int       // to complete it
	want       time.Time // when to try next
}

// host is one that an entry points to.
type host map[netip.Addr]*lease

type (
	place struct {
		link int
		key  string
	}
	// wants is what a link has to be asked for.
	wants struct {
		kinds            map[string]bool
		instances, hosts []string
	}
)

func (w wants) none() bool { return len(w.kinds)+len(w.instances)+len(w.hosts) == 0 }

// cache is what a browser knows. Its owner holds a lock.
type cache struct {
	kinds   map[string]string // key of the kind's name -> kind
	links   map[int]link
	entries map[place]*entry
	hosts   map[place]host
	next    time.Time // when advance has something to do; zero: never
	changed bool      // what found returns is another
	full    bool      // something was refused
	warned  bool
}

func newCache(kinds []string) *cache {
	c := &cache{kinds: map[string]string{}, links: map[int]link{}, entries: map[place]*entry{}, hosts: map[place]host{}}
	for _, kind := range kinds {
		c.kinds[key(kind+".local.")] = kind
	}
	return c
}

// relink forgets what was found on links that are gone.
func (c *cache) relink(links []link) {
	clear(c.links)
	for _, l := range links {
		c.links[l.index] = l
	}
	gone := func(p place) bool { _, ok := c.links[p.link]; return !ok }
	before := len(c.entries)
	maps.DeleteFunc(c.entries, func(p place, _ *entry) bool { return gone(p) })
	maps.DeleteFunc(c.hosts, func(p place, _ host) bool { return gone(p) })
	c.changed = c.changed || len(c.entries) != before
}

// sooner makes advance come by at t.
func (c *cache) sooner(t time.Time) {
	if c.next.IsZero() || t.Before(c.next) {
		c.next = t
	}
}

// soonerFor makes advance come by when a lease wants it.
func (c *cache) soonerFor(l lease) {
	if at, ok := l.refresh(); ok {
		c.sooner(at)
	} else {
		c.sooner(l.end())
	}
}

// take takes all records of a response: pointers first, so that the others have
// something to belong to.
func (c *cache) take(now time.Time, index int, m message) {
	if _, ok := c.links[index]; !ok {
		return
	}
	records := append(m.answers, m.extra...)
	for _, r := range records {
		if r.rtype == dns.TypePTR {
			c.takePointer(now, index, r)
		}
	}
	for _, r := range records {
		if e := c.entries[place{index, r.key}]; e != nil {
			c.takeEntry(now, index, e, r)
		}
	}
	for _, r := range records {
		if h, ok := c.hosts[place{index, r.key}]; ok && r.addr.IsValid() {
			c.takeAddress(now, index, h, r)
		}
	}
}

func (c *cache) takePointer(now time.Time, index int, r record) {
	kind, ok := c.kinds[r.key]
	if !ok {
		return
	}
	at := place{index, key(r.target)}
	e := c.entries[at]
	if e == nil {
		name := firstLabel(r.target)
		// Of this kind, with one label before it, and fit to be shown.
		if r.ttl == 0 || !printable(name) || len(at.key) != len(r.key)+1+len(name) || !strings.HasSuffix(at.key, r.key) {
			return
		}
		if len(c.entries) >= maxInstances {
			c.full, c.warned = c.full || !c.warned, true
			return
		}
		e = &entry{kind: kind, name: name, full: r.target, want: now.Add(wantEvery)}
		c.entries[at] = e
		c.sooner(e.want)
	}
	if r.ttl > 0 || !e.pointer.over(now) {
		e.pointer = newLease(now, r.ttl)
	}
	c.soonerFor(e.pointer)
}

func (c *cache) takeEntry(now time.Time, index int, e *entry, r record) {
	switch r.rtype {
	case dns.TypeSRV:
		if !hostLike(strings.TrimSuffix(r.target, ".")) || r.port == 0 {
			return
		}
		to := key(r.target)
		if r.ttl == 0 && (to != e.host || r.port != e.port) {
			return // it takes back what we don't believe anyway
		}
		if to != e.host || r.port != e.port {
			e.host, e.hostName, e.port = to, r.target, r.port
			c.changed = true
		}
		if _, ok := c.hosts[place{index, to}]; !ok {
			if len(c.hosts) >= 2*maxInstances {
				c.sweep() // somebody changes targets faster than they are forgotten
			}
			c.hosts[place{index, to}] = host{}
		}
		e.srv = newLease(now, r.ttl)
		c.soonerFor(e.srv)
	case dns.TypeTXT:
		if text := decodeText(r.text); r.ttl > 0 && (e.text == nil || !maps.Equal(text, e.text)) {
			e.text = text
			c.changed = true
		}
		e.txt = newLease(now, r.ttl)
		c.soonerFor(e.txt)
	}
}

func (c *cache) takeAddress(now time.Time, index int, h host, r record) {
	a := r.addr.Unmap()
	l := c.links[index]
	if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || a.IsLoopback() && !l.loopback {
		return
	}
	if a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(l.name)
	}
	if r.flush {
		for other, lease := range h {
			// Not what came a moment ago, perhaps in the packet before.
			if other.Is6() == a.Is6() && other != a && now.Sub(lease.since) > goodbyeStays && lease.life > goodbyeStays {
				*lease = newLease(now, 0)
				c.soonerFor(*lease)
			}
		}
	}
	if h[a] == nil {
		if r.ttl == 0 || len(h) >= maxAddresses {
			return
		}
		h[a] = &lease{}
		c.changed = true
	}
	*h[a] = newLease(now, r.ttl)
	c.soonerFor(*h[a])
}

// found returns the instances that one could dial.
func (c *cache) found() []Instance {
	var out []Instance
	for at, e := range c.entries {
		h := c.hosts[place{at.link, e.host}]
		if e.port == 0 || len(h) == 0 {
			continue
		}
		i := Instance{
			Kind: e.kind, Name: e.name, Host: strings.TrimSuffix(e.hostName, "."),
			Text: maps.Clone(e.text), Interface: c.links[at.link].name,
		}
		for _, a := range slices.SortedFunc(maps.Keys(h), compareAddresses) {
			i.Addresses = append(i.Addresses, netip.AddrPortFrom(a, e.port))
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Interface, b.Interface))
	})
	return out
}

// compareAddresses puts first what works for most.
func compareAddresses(a, b netip.Addr) int {
	rank := func(a netip.Addr) int {
		switch {
		case a.Is4() && !a.IsLinkLocalUnicast():
			return 0
		case a.IsLinkLocalUnicast():
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Compare(b))
}

// known are the pointers that need not be said again.
func (c *cache) known(index int, kind string, now time.Time) []dns.RR {
	var out []dns.RR
	for at, e := range c.entries {
		// An instance that is incomplete has to be heard in full.
		if at.link != index || e.kind != kind || !e.pointer.fresh(now) || e.incomplete(c, index) {
			continue
		}
		left := e.pointer.end().Sub(now) / time.Second
		out = append(out, &dns.PTR{
			Hdr: dns.RR_Header{Name: kind + ".local.", Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: uint32(left)},
			Ptr: e.full,
		})
	}
	slices.SortFunc(out, func(a, b dns.RR) int { return cmp.Compare(a.(*dns.PTR).Ptr, b.(*dns.PTR).Ptr) })
	return out
}

func (e *entry) incomplete(c *cache, index int) bool {
	return e.port == 0 || e.text == nil || len(c.hosts[place{index, e.host}]) == 0
}
