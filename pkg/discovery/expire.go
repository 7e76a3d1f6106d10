package discovery

import (
	"maps"
	"time"
)

// advance forgets what has ended, and returns what each link has to be asked for:
// records near their end, and what is missing of an instance. It looks at all and
// finds out when it has to come again.
func (c *cache) advance(now time.Time) map[int]wants {
	c.next = time.Time{}
	out := map[int]wants{}
	for at, e := range c.entries {
		if e.pointer.over(now) {
			delete(c.entries, at)
			c.changed, c.warned = true, false
			continue
		}
		c.expire(now, e)
		w := out[at.link]
		c.wants(now, at, e, &w)
		out[at.link] = w
	}
	c.sweep()
	for _, h := range c.hosts {
		for a, l := range h {
			if l.over(now) {
				delete(h, a)
				c.changed = true
				continue
			}
			c.soonerFor(*l)
		}
	}
	return out
}

// sweep forgets the hosts that no entry points to.
func (c *cache) sweep() {
	used := map[place]bool{}
	for at, e := range c.entries {
		used[place{at.link, e.host}] = true
	}
	maps.DeleteFunc(c.hosts, func(at place, _ host) bool { return !used[at] })
}

// expire forgets the parts of an entry that have ended.
func (c *cache) expire(now time.Time, e *entry) {
	if e.port != 0 && e.srv.over(now) {
		e.host, e.hostName, e.port = "", "", 0
		c.changed = true
	}
	if e.text != nil && e.txt.over(now) {
		e.text = nil
		c.changed = true
	}
}

// wants adds what an entry has to be asked for, and says when to look again.
func (c *cache) wants(now time.Time, at place, e *entry, w *wants) {
	refresh := func(l *lease) bool {
		t, ok := l.refresh()
		due := ok && !l.over(now) && !t.After(now)
		if due {
			l.asked++
		}
		c.soonerFor(*l)
		return due
	}
	pointer := refresh(&e.pointer)
	service := e.port != 0 && refresh(&e.srv)
	service = e.text != nil && refresh(&e.txt) || service
	var address bool
	for _, l := range c.hosts[place{at.link, e.host}] {
		address = refresh(l) || address
	}
	if e.incomplete(c, at.link) {
		if !e.want.After(now) {
			e.tries++
			e.want = now.Add(min(wantEvery<<min(e.tries, 6), queryMost))
			service, address = service || e.port == 0 || e.text == nil, address || e.port != 0
		}
		c.sooner(e.want)
	} else {
		e.tries, e.want = 0, now.Add(wantEvery)
	}
	switch {
	case pointer, (service || address) && !e.pointer.fresh(now):
		// One question for all that answer with everything.
		if w.kinds == nil {
			w.kinds = map[string]bool{}
		}
		w.kinds[e.kind] = true
	case service || address:
		if service && len(w.instances) < wantMost {
			w.instances = append(w.instances, e.full)
		}
		if address && len(w.hosts) < wantMost {
			w.hosts = append(w.hosts, e.hostName)
		}
	}
}
