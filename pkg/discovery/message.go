package discovery

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// flushBit says "this record replaces all others of its name and type" in a
// response; in a question the same bit asks for a unicast answer, which we never
// ask for and need not give (RFC 6762 §10.2, §5.4).
const flushBit = 1 << 15

// maxRecords bounds the work one packet makes; 9000 bytes hold 800 of the shortest.
const maxRecords = 1000

// message is a packet, read: only what this package has a use for.
type message struct {
	response  bool
	truncated bool // of a query: more known answers follow
	id        uint16
	questions []question
	answers   []record // of a query: known answers
	authority []record // of a probe: what the sender is about to claim
	extra     []record
}

type question struct {
	key   string
	name  string
	qtype uint16
	class uint16 // as sent, for a copy
}

type record struct {
	key   string
	name  string
	rtype uint16
	flush bool
	ttl   time.Duration
	data  string // canonical: equal if and only if the records say the same

	target string     // PTR, SRV
	port   uint16     // SRV
	text   []string   // TXT, escaped
	addr   netip.Addr // A, AAAA
}

func (r record) same(o record) bool { return r.key == o.key && r.rtype == o.rtype && r.data == o.data }

var errShort = errors.New("packet ends in the middle")

// parse reads a packet. Records of other types, of other classes and such that
// can't be read are skipped: what is beside them counts.
func parse(b []byte) (message, error) {
	if len(b) < 12 || len(b) > maxPacket {
		return message{}, errShort
	}
	bits := binary.BigEndian.Uint16(b[2:])
	if opcode := bits >> 11 & 15; opcode != 0 {
		return message{}, errors.New("not a query") // RFC 6762 §18.3
	}
	m := message{id: binary.BigEndian.Uint16(b), response: bits&(1<<15) != 0, truncated: bits&(1<<9) != 0}
	off, records := 12, 0
	for range binary.BigEndian.Uint16(b[4:]) {
		name, next, err := dns.UnpackDomainName(b, off)
		if records++; err != nil || next+4 > len(b) || records > maxRecords {
			return m, errShort
		}
		q := question{name: name, key: key(name), qtype: binary.BigEndian.Uint16(b[next:]), class: binary.BigEndian.Uint16(b[next+2:])}
		off = next + 4
		if c := q.class &^ flushBit; c == dns.ClassINET || c == dns.ClassANY {
			m.questions = append(m.questions, q)
		}
	}
	for i, section := range []*[]record{&m.answers, &m.authority, &m.extra} {
		for range binary.BigEndian.Uint16(b[6+2*i:]) {
			r, next, err := parseRecord(b, off)
			if records++; err != nil || records > maxRecords {
				return m, errShort
			}
			if off = next; r.key != "" {
				*section = append(*section, r)
			}
		}
	}
	return m, nil
}

// parseRecord reads the record at off and returns where the next one begins. The
// key is empty if it is of no use.
func parseRecord(b []byte, off int) (record, int, error) {
	name, head, err := dns.UnpackDomainName(b, off)
	if err != nil || head+10 > len(b) {
		return record{}, 0, errShort
	}
	rtype, class := binary.BigEndian.Uint16(b[head:]), binary.BigEndian.Uint16(b[head+2:])
	next := head + 10 + int(binary.BigEndian.Uint16(b[head+8:]))
	if next > len(b) {
		return record{}, 0, errShort
	}
	if class&^flushBit != dns.ClassINET {
		return record{}, next, nil
	}
	switch rtype {
	case dns.TypePTR, dns.TypeSRV, dns.TypeTXT, dns.TypeA, dns.TypeAAAA:
	default:
		return record{}, next, nil
	}
	rr, _, err := dns.UnpackRR(b[:next], off)
	if err != nil {
		return record{}, next, nil
	}
	r := recordOf(rr)
	r.name, r.flush = name, class&flushBit != 0
	return r, next, nil
}

// recordOf reads a record of one of our types.
func recordOf(rr dns.RR) record {
	h := rr.Header()
	r := record{key: key(h.Name), name: h.Name, rtype: h.Rrtype, ttl: time.Duration(h.Ttl) * time.Second}
	switch rr := rr.(type) {
	case *dns.PTR:
		r.target, r.data = rr.Ptr, key(rr.Ptr)
	case *dns.SRV:
		head := binary.BigEndian.AppendUint16(nil, rr.Priority)
		head = binary.BigEndian.AppendUint16(head, rr.Weight)
		head = binary.BigEndian.AppendUint16(head, rr.Port)
		r.target, r.port, r.data = rr.Target, rr.Port, string(head)+key(rr.Target)
	case *dns.TXT:
		r.text = rr.Txt
		for _, s := range rr.Txt {
			raw := unescapeText(s)
			r.data += string(rune(len(raw))) + raw
		}
	case *dns.A:
		r.addr, _ = netip.AddrFromSlice(rr.A.To4())
		r.data = string(rr.A.To4())
	case *dns.AAAA:
		r.addr, _ = netip.AddrFromSlice(rr.AAAA.To16())
		r.data = string(rr.AAAA.To16())
	}
	if r.data == "" && r.rtype != dns.TypeTXT {
		r.key = "" // no rdata: of no use
	}
	return r
}

// response packs answers. Multicast ones carry no question and no id, and the
// records that only we may have flush what others believed before (RFC 6762 §18).
func response(answers, extra []dns.RR, life time.Duration) ([]byte, error) {
	m := dns.Msg{Compress: true, Answer: prepared(answers, life, true), Extra: prepared(extra, life, true)}
	m.Response, m.Authoritative = true, true
	return m.Pack()
}

// legacyResponse packs answers for a simple resolver: its id and questions come
// back, times are short, and no bit is set that it doesn't know (RFC 6762 §6.7).
func legacyResponse(q message, answers, extra []dns.RR) ([]byte, error) {
	m := dns.Msg{Compress: true, Answer: prepared(answers, 10*time.Second, false), Extra: prepared(extra, 10*time.Second, false)}
	m.Id, m.Response, m.Authoritative = q.id, true, true
	for _, question := range q.questions {
		m.Question = append(m.Question, dns.Question{Name: question.name, Qtype: question.qtype, Qclass: question.class &^ flushBit})
	}
	return m.Pack()
}

// query packs questions, what is known already, and what a probe claims.
func query(questions []dns.Question, known, claims []dns.RR, truncated bool) ([]byte, error) {
	m := dns.Msg{Compress: true, Question: questions, Answer: known, Ns: claims}
	m.Truncated = truncated
	return m.Pack()
}

// prepared copies records with a time to live and, for those that are ours alone,
// the flush bit.
func prepared(rrs []dns.RR, life time.Duration, flush bool) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		rr = dns.Copy(rr)
		rr.Header().Ttl = uint32(life / time.Second)
		if flush && rr.Header().Rrtype != dns.TypePTR {
			rr.Header().Class |= flushBit
		}
		out = append(out, rr)
	}
	return out
}
