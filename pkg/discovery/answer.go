package discovery

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// An item is one question that we have an answer to.
type item int

const (
	itemEnum    item = iota // which kinds are there?
	itemPointer             // who is of our kind?
	itemSRV
	itemTXT
	itemA
	itemAAAA
	items
)

const (
	enumName = "_services._dns-sd._udp.local."
	// Whoever may not be the only one to answer waits, so that a rack does not answer
	// as one (RFC 6762 §6 has these times for it).
	answerMin, answerMax = 20 * time.Millisecond, 120 * time.Millisecond
	// A question whose known answers go on in the next packet waits for that
	// (RFC 6762 §7.2).
	moreMin, moreMax = 400 * time.Millisecond, 500 * time.Millisecond
	// No record is said twice within a second, but to those who probe for our name
	// (RFC 6762 §6).
	oncePer, defendPer = time.Second, 250 * time.Millisecond
	// repliesPerSecond bounds unicast replies: a simple resolver asks once, and a
	// forged source gets little.
	repliesPerSecond = 10
)

// answer is one that waits.
type answer struct {
	due  time.Time
	from netip.AddrPort
	many bool // more than one asked: none of them can call it off
}

// zone is what one link is told: the records of each item.
type zone [items]struct {
	key   string
	qtype uint16
	rrs   []dns.RR
	read  []record // the same, as others read them
}

// newZone takes the records of a service from hashicorp/mdns.
func newZone(service mdns.Zone, kind, instance, host string) *zone {
	z := &zone{}
	for i, q := range [items]dns.Question{
		itemEnum:    {Name: enumName, Qtype: dns.TypePTR},
		itemPointer: {Name: kind, Qtype: dns.TypePTR},
		itemSRV:     {Name: instance, Qtype: dns.TypeSRV},
		itemTXT:     {Name: instance, Qtype: dns.TypeTXT},
		itemA:       {Name: host, Qtype: dns.TypeA},
		itemAAAA:    {Name: host, Qtype: dns.TypeAAAA},
	} {
		z[i].key, z[i].qtype = key(q.Name), q.Qtype
		for _, rr := range service.Records(q) {
			if rr.Header().Rrtype == q.Qtype { // it adds what one will want next
				z[i].rrs = append(z[i].rrs, rr)
				z[i].read = append(z[i].read, recordOf(rr))
			}
		}
	}
	return z
}

// claims are the records that are ours alone under our name.
func (z *zone) claims() []dns.RR {
	return slices.Concat(z[itemSRV].rrs, z[itemTXT].rrs)
}

// all are all records but the list of kinds, which is everybody's: others of our
// kind may go on.
func (z *zone) all() []dns.RR {
	var out []dns.RR
	for i := itemPointer; i < items; i++ {
		out = append(out, z[i].rrs...)
	}
	return out
}

// asked returns the items that a question asks for.
func (z *zone) asked(q question) []item {
	var out []item
	for i, of := range z {
		if q.key == of.key && (q.qtype == of.qtype || q.qtype == dns.TypeANY) {
			out = append(out, item(i))
		}
	}
	return out
}

// question answers, now or soon, or not at all.
func (r *responder) question(now time.Time, s *speaker, p packet, m message) {
	if !s.announced() {
		return
	}
	if len(m.questions) == 0 { // more known answers
		for i, a := range s.pending {
			if a.from == p.from && !a.many && s.zone.known(i, m.answers) {
				delete(s.pending, i)
			}
		}
		return
	}
	probe := len(m.authority) > 0
	var wanted []item
	for _, q := range m.questions {
		for _, i := range s.zone.asked(q) {
			if !s.zone.known(i, m.answers) {
				wanted = append(wanted, i)
			}
		}
	}
	switch {
	case len(wanted) == 0:
	case p.from.Port() != port:
		r.reply(now, s, p, m, wanted)
	case probe:
		if now.Sub(s.defence) >= defendPer {
			s.defence = now
			r.answer(now, s, wanted)
		}
	default:
		wait := between(answerMin, answerMax)
		if m.truncated {
			wait = between(moreMin, moreMax)
		}
		for _, i := range wanted {
			s.enqueue(i, now.Add(wait), p.from)
		}
	}
}

// enqueue puts an answer into the queue, not sooner than its record may be said
// again.
func (s *speaker) enqueue(i item, due time.Time, from netip.AddrPort) {
	if last, ok := s.sent[i]; ok && due.Before(last.Add(oncePer)) {
		due = last.Add(oncePer)
	}
	a, waits := s.pending[i]
	if !waits {
		s.pending[i] = answer{due: due, from: from}
		return
	}
	a.many = a.many || a.from != from
	if due.Before(a.due) {
		a.due = due
	}
	s.pending[i] = a
}

// known reports whether whoever asks has all records of an item, with at least half
// of their time left (RFC 6762 §7.1).
func (z *zone) known(i item, known []record) bool {
	for _, ours := range z[i].read {
		if !slices.ContainsFunc(known, func(k record) bool { return k.same(ours) && 2*k.ttl >= ttl }) {
			return false
		}
	}
	return true // also where there are no records
}

// answerDue sends what has waited long enough, and with it what may go.
func (r *responder) answerDue(now time.Time, s *speaker) {
	due := false
	var list []item
	for i := range items {
		a, waits := s.pending[i]
		if !waits {
			continue
		}
		due = due || !a.due.After(now)
		if !a.due.After(now) || now.Sub(s.sent[i]) >= oncePer && a.due.Sub(now) < answerMax {
			list = append(list, i)
		}
	}
	if due {
		r.answer(now, s, list)
	}
}

// answer sends items to everybody.
func (r *responder) answer(now time.Time, s *speaker, list []item) {
	answers, extra := s.zone.message(list)
	for _, i := range list {
		delete(s.pending, i)
		s.sent[i] = now
	}
	data, err := response(answers, extra, ttl)
	if err == nil {
		err = r.nw.send(s.path, netip.AddrPort{}, data)
	}
	if err != nil {
		r.log.Debug("cannot answer", "interface", s.link.name, "err", err)
	}
}

// reply answers a simple resolver, that has a port of its own, by unicast. It must
// be a neighbour: who is not could make us throw packets at somebody else.
func (r *responder) reply(now time.Time, s *speaker, p packet, m message, list []item) {
	for len(r.lastReply) > 0 && now.Sub(r.lastReply[0]) >= time.Second {
		r.lastReply = r.lastReply[1:]
	}
	if len(r.lastReply) >= repliesPerSecond || !s.link.near(p.from.Addr()) {
		return
	}
	r.lastReply = append(r.lastReply, now)
	answers, extra := s.zone.message(list)
	data, err := legacyResponse(m, answers, extra)
	if err == nil {
		err = r.nw.send(s.path, p.from, data)
	}
	if err != nil {
		r.log.Debug("cannot reply", "interface", s.link.name, "err", err)
	}
}

// message collects records for items, and beside them those that one asks for next
// (RFC 6763 §12).
func (z *zone) message(list []item) (answers, extra []dns.RR) {
	have := map[item]bool{}
	for _, i := range list {
		if !have[i] {
			have[i] = true
			answers = append(answers, z[i].rrs...)
		}
	}
	next := []item{itemSRV, itemTXT, itemA, itemAAAA}
	for _, i := range next {
		if !have[i] && (have[itemPointer] || have[itemSRV] && i >= itemA) {
			extra = append(extra, z[i].rrs...)
		}
	}
	return answers, extra
}
