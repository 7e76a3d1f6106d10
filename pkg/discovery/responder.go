package discovery

import (
	"cmp"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// Times of RFC 6762 §8.1, §8.2 and §8.3.
const (
	probes        = 3
	probeEvery    = 250 * time.Millisecond
	announcements = 2
	announceEvery = time.Second
	lostTie       = time.Second // after it, who won will have announced
	// After ten conflicts names are tried in peace: RFC 6762 §8.1 has 15, then 5 s.
	manyConflicts = 10
	afterConflict = 5 * time.Second
)

// responder is the owner of all that an announcer knows. One goroutine calls it.
type responder struct {
	nw   network
	log  *slog.Logger
	host string

	service   Service
	invalid   error
	number    int // of the name: 1 is the name itself
	conflicts int
	instance  string // keys of our names
	ourHost   string
	paths     map[path]*speaker
	lastReply []time.Time // of unicast replies
}

// speaker is one path: what it has said and has yet to say.
type speaker struct {
	path    path
	link    link
	zone    *zone
	step    int       // probes sent; from probes on, announcements too
	at      time.Time // of the next step
	pending map[item]answer
	sent    map[item]time.Time
	defence time.Time // last answer to a probe
}

// announced reports whether the name is ours on this path.
func (s *speaker) announced() bool { return s.step > probes }

// done reports whether there is nothing left to say unasked.
func (s *speaker) done() bool { return s.step >= probes+announcements }

func newResponder(nw network, host string, log *slog.Logger) *responder {
	return &responder{nw: nw, host: host, log: log, number: 1, paths: map[path]*speaker{}}
}

func (r *responder) name() string { return numbered(r.service.Name, r.number) }

func (r *responder) problem() error { return cmp.Or(r.invalid, r.nw.problem()) }

// configure takes what is to be announced.
func (r *responder) configure(now time.Time, s Service) {
	old, was := r.service, r.service.Kind != "" && r.invalid == nil
	if was && (old.Kind != s.Kind || old.Name != s.Name) {
		r.goodbye()
		was = false
	}
	r.service, r.invalid = s, s.check()
	if r.invalid != nil {
		clear(r.paths)
		return
	}
	if !was {
		r.number, r.conflicts = 1, 0
		r.restart(now)
		return
	}
	if old.Port == s.Port && maps.Equal(old.Text, s.Text) {
		return
	}
	for _, p := range r.paths {
		p.zone = r.zone(p.link)
		p.announceAgain(now)
	}
}

// announceAgain says all anew; a path that is still probing comes to it anyway.
func (s *speaker) announceAgain(now time.Time) {
	if s.announced() {
		s.step, s.at = probes, now
	}
}

// restart begins with the present name on every path, as if all were new.
func (r *responder) restart(now time.Time) {
	clear(r.paths)
	r.relink(now)
}

// relink makes the paths those of the interfaces as they are. New ones probe; where
// only the addresses changed, they are told.
func (r *responder) relink(now time.Time) {
	if r.service.Kind == "" || r.invalid != nil {
		return
	}
	r.instance, r.ourHost = key(r.instanceName()), key(r.hostName())
	present := map[path]bool{}
	for _, l := range r.nw.links() {
		for _, p := range l.paths() {
			present[p] = true
			s := r.paths[p]
			switch {
			case s == nil:
				r.paths[p] = &speaker{
					path: p, link: l, zone: r.zone(l), at: now.Add(between(0, probeEvery)),
					pending: map[item]answer{}, sent: map[item]time.Time{},
				}
			case !slices.Equal(s.link.prefixes, l.prefixes) || s.link.name != l.name:
				s.link, s.zone = l, r.zone(l)
				s.announceAgain(now)
			}
		}
	}
	maps.DeleteFunc(r.paths, func(p path, _ *speaker) bool { return !present[p] })
}

func (r *responder) instanceName() string {
	return escapeLabel(r.name()) + "." + r.service.Kind + ".local."
}

func (r *responder) hostName() string {
	name := r.host
	if readable := hostLabel(r.service.Name); readable != "" {
		name = readable + "-" + r.host
	}
	return name + ".local."
}

// zone has the records for one link: its addresses and no others.
func (r *responder) zone(l link) *zone {
	text, _ := encodeText(r.service.Text) // checked
	var ips []net.IP
	for _, p := range l.prefixes {
		if a := p.Addr(); len(ips) < maxAddresses {
			ips = append(ips, a.AsSlice())
		}
	}
	service, err := mdns.NewMDNSService(escapeLabel(r.name()), r.service.Kind, "local.", r.hostName(), r.service.Port, ips, text)
	if err != nil {
		r.log.Error("cannot make records", "interface", l.name, "err", err)
		return &zone{}
	}
	return newZone(service, r.service.Kind+".local.", r.instanceName(), r.hostName())
}

// deadline is when advance has something to do.
func (r *responder) deadline() (time.Time, bool) {
	var at time.Time
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, s := range r.paths {
		if !s.done() {
			earlier(s.at)
		}
		for _, a := range s.pending {
			earlier(a.due)
		}
	}
	return at, !at.IsZero()
}

// advance does what is due.
func (r *responder) advance(now time.Time) {
	for _, s := range r.paths {
		for !s.done() && !s.at.After(now) {
			r.step(now, s)
		}
		r.answerDue(now, s)
	}
}

// step sends the next probe or announcement. What can't be sent is not said, and
// tried again.
func (r *responder) step(now time.Time, s *speaker) {
	var data []byte
	var err error
	switch {
	case s.step < probes:
		ask := dns.Question{Name: r.instanceName(), Qtype: dns.TypeANY, Qclass: dns.ClassINET}
		data, err = query([]dns.Question{ask}, nil, prepared(s.zone.claims(), ttl, false), false)
	default:
		data, err = response(s.zone.all(), nil, ttl)
	}
	wait := announceEvery
	if err == nil {
		err = r.nw.send(s.path, netip.AddrPort{}, data)
	}
	switch {
	case err != nil:
		r.log.Debug("cannot announce yet", "interface", s.link.name, "ipv6", s.path.v6, "err", err)
		s.at = now.Add(failedSend)
		return
	case s.step < probes:
		wait = probeEvery
	default:
		for i := range items {
			s.sent[i] = now
		}
		if s.step == probes {
			r.log.Debug("announced", "name", r.name(), "interface", s.link.name, "ipv6", s.path.v6)
		}
	}
	s.step++
	s.at = now.Add(wait)
}

// receive takes a packet: an answer may say that our name is somebody else's, a
// question may be for us.
func (r *responder) receive(now time.Time, p packet) {
	s := r.paths[p.path]
	if s == nil {
		return
	}
	m, err := parse(p.data)
	if err != nil && !m.response {
		return // half a question is none
	}
	if m.response {
		if p.from.Port() != port {
			return // RFC 6762 §6
		}
		records := append(m.answers, m.extra...)
		if slices.ContainsFunc(records, r.contradicts) {
			r.conflict(now, s)
		} else if s.announced() {
			r.rescue(now, s, records)
		}
		return
	}
	if r.tie(now, s, m) {
		return
	}
	r.question(now, s, p, m)
}

// contradicts reports whether a record says that our name is a service of another
// host. Only the target counts: it holds our random number, so that our own packets,
// late ones and those that come back by another interface, never contradict us.
func (r *responder) contradicts(rec record) bool {
	return rec.rtype == dns.TypeSRV && rec.ttl > 0 && rec.key == r.instance && key(rec.target) != r.ourHost
}

// rescue says again what somebody else takes back or shortens (RFC 6762 §6.6): a
// goodbye in our name makes nobody forget us.
func (r *responder) rescue(now time.Time, s *speaker, records []record) {
	for _, rec := range records {
		if 2*rec.ttl >= ttl {
			continue
		}
		for i := itemPointer; i < items; i++ {
			if slices.ContainsFunc(s.zone[i].read, rec.same) {
				s.enqueue(i, now.Add(between(answerMin, answerMax)), netip.AddrPort{})
			}
		}
	}
}

// conflict: who probes gives way; who has announced asks again whether the name is
// taken (RFC 6762 §9).
func (r *responder) conflict(now time.Time, s *speaker) {
	if s.step == 0 {
		return // we have not asked yet; if it is true, it will be the answer
	}
	if s.announced() {
		s.step, s.at = 0, now.Add(between(0, probeEvery))
		clear(s.pending)
		return
	}
	for _, other := range r.paths {
		if other != s && other.announced() && other.path.index != s.path.index {
			r.sayGoodbye(other)
		}
	}
	old := r.name()
	r.number, r.conflicts = r.number+1, r.conflicts+1
	r.log.Warn("the name is taken on the LAN", "name", old, "interface", s.link.name, "now", r.name())
	r.restart(now)
	if r.conflicts >= manyConflicts {
		for _, other := range r.paths {
			other.at = now.Add(afterConflict)
		}
	}
}

// tie: two who probe for one name at once compare what they are about to claim, and
// the lesser waits (RFC 6762 §8.2). It reports whether we wait.
func (r *responder) tie(now time.Time, s *speaker, m message) bool {
	if s.announced() || s.step == 0 {
		return false
	}
	var theirs []record
	for _, rec := range m.authority {
		if rec.key == r.instance {
			theirs = append(theirs, rec)
		}
	}
	if len(theirs) == 0 {
		return false
	}
	var ours []record
	ours = append(ours, s.zone[itemSRV].read...)
	ours = append(ours, s.zone[itemTXT].read...)
	order := func(a, b record) int { return cmp.Or(cmp.Compare(a.rtype, b.rtype), cmp.Compare(a.data, b.data)) }
	slices.SortFunc(ours, order)
	slices.SortFunc(theirs, order)
	if slices.CompareFunc(ours, theirs, order) >= 0 {
		return false
	}
	if slices.ContainsFunc(theirs, func(rec record) bool { return rec.rtype == dns.TypeSRV && !r.contradicts(rec) }) {
		return false // our own, from before a change
	}
	s.step, s.at = 0, now.Add(lostTie)
	return true
}

// goodbye takes back what was announced.
func (r *responder) goodbye() {
	for _, s := range r.paths {
		if s.announced() {
			r.sayGoodbye(s)
		}
	}
}

func (r *responder) sayGoodbye(s *speaker) {
	data, err := response(s.zone.all(), nil, 0)
	if err == nil {
		err = r.nw.send(s.path, netip.AddrPort{}, data)
	}
	if err != nil {
		r.log.Debug("cannot say goodbye", "interface", s.link.name, "err", err)
	}
}
