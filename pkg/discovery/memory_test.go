package discovery

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// lan is a LAN in memory.
type lan struct {
	mu    sync.Mutex
	ports []plugged
	drop  func(by, to *memory) bool
	sent  []sent
	began time.Time
}

type plugged struct {
	of *memory
	at link
}

// sent is one packet, as somebody sent it.
type sent struct {
	at   time.Duration // since the LAN began
	by   *memory
	path path
	to   netip.AddrPort
	data []byte
	msg  message
}

func newLAN() *lan { return &lan{began: time.Now()} }

// memory is one machine's network on LANs in memory.
type memory struct {
	in   chan packet
	wake chan struct{}

	mu     sync.Mutex
	lans   map[int]*lan
	up     []link
	silent bool // can't send
	lost   int
}

func newMemory() *memory {
	return &memory{in: make(chan packet, 20000), wake: make(chan struct{}, 1), lans: map[int]*lan{}}
}

// on makes a machine with one interface on a LAN.
func on(l *lan, addrs ...string) *memory {
	m := newMemory()
	m.plug(l, 1, "eth0", addrs...)
	return m
}

// plug brings an interface up, or gives it other addresses.
func (m *memory) plug(l *lan, index int, name string, addrs ...string) {
	at := link{index: index, name: name}
	for _, a := range addrs {
		at.prefixes = append(at.prefixes, netip.MustParsePrefix(a))
	}
	m.unplug(index)
	m.mu.Lock()
	m.up = append(m.up, at)
	m.lans[index] = l
	m.mu.Unlock()
	l.mu.Lock()
	l.ports = append(l.ports, plugged{m, at})
	l.mu.Unlock()
	poke(m.wake)
}

func (m *memory) unplug(index int) {
	m.mu.Lock()
	l := m.lans[index]
	delete(m.lans, index)
	m.up = slices.DeleteFunc(m.up, func(l link) bool { return l.index == index })
	m.mu.Unlock()
	if l != nil {
		l.mu.Lock()
		l.ports = slices.DeleteFunc(l.ports, func(p plugged) bool { return p.of == m && p.at.index == index })
		l.mu.Unlock()
	}
	poke(m.wake)
}

func (m *memory) links() []link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.up)
}

func (m *memory) packets() <-chan packet   { return m.in }
func (m *memory) changed() <-chan struct{} { return m.wake }
func (m *memory) close()                   {}

func (m *memory) problem() error {
	if len(m.links()) == 0 {
		return errors.New("no link")
	}
	return nil
}

func (m *memory) send(p path, to netip.AddrPort, data []byte) error {
	m.mu.Lock()
	l, silent := m.lans[p.index], m.silent
	m.mu.Unlock()
	if l == nil || silent {
		return errors.New("no link")
	}
	l.send(m, p, to, data)
	return nil
}

func (l *lan) send(by *memory, p path, to netip.AddrPort, data []byte) {
	msg, _ := parse(data)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sent{time.Since(l.began), by, p, to, data, msg})
	if to.IsValid() {
		return // nobody here has a port of its own
	}
	var from netip.AddrPort
	for _, q := range l.ports {
		if q.of == by && q.at.index == p.index {
			for _, prefix := range q.at.prefixes {
				if prefix.Addr().Is6() == p.v6 {
					from = netip.AddrPortFrom(prefix.Addr(), port)
				}
			}
		}
	}
	for _, q := range l.ports {
		if !q.at.has(p.v6) || l.drop != nil && l.drop(by, q.of) {
			continue
		}
		q.of.deliver(packet{path: path{q.at.index, p.v6}, from: from, data: data})
	}
}

func (m *memory) deliver(p packet) {
	select {
	case m.in <- p:
	default:
		m.mu.Lock()
		m.lost++
		m.mu.Unlock()
	}
}

// by returns what one machine has sent, and forgets it.
func (l *lan) by(m *memory) []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []sent
	l.sent = slices.DeleteFunc(l.sent, func(s sent) bool {
		if s.by == m {
			out = append(out, s)
		}
		return s.by == m
	})
	return out
}

// stranger sends raw packets on a LAN.
func (l *lan) stranger(from string, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := netip.MustParseAddrPort(from)
	for _, q := range l.ports {
		if q.at.has(a.Addr().Is6()) {
			q.of.deliver(packet{path: path{q.at.index, a.Addr().Is6()}, from: a, data: data})
		}
	}
}

func (m *memory) opener() func([]string, *slog.Logger) network {
	return func([]string, *slog.Logger) network { return m }
}

// announce starts an announcer, and returns how to stop it.
func announce(t *testing.T, m *memory, s Service) (*Announcer, func()) {
	a := NewAnnouncer(Options{Service: s, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	a.open = m.opener()
	return a, start(t, a.Run)
}

func browse(t *testing.T, m *memory, kinds ...string) (*Browser, func()) {
	b := NewBrowser(BrowserOptions{Kinds: kinds, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	b.open = m.opener()
	return b, start(t, b.Run)
}

func names(b *Browser) []string {
	var out []string
	for _, i := range b.Found() {
		out = append(out, i.Name)
	}
	return out
}

// pack makes a packet of records in zone syntax; a leading "!" sets the flush bit.
func pack(t testing.TB, response bool, records ...string) []byte {
	t.Helper()
	m := dns.Msg{}
	m.Response = response
	for _, text := range records {
		flush := text[0] == '!'
		if flush {
			text = text[1:]
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if flush {
			rr.Header().Class |= flushBit
		}
		m.Answer = append(m.Answer, rr)
	}
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ask makes a query.
func ask(t testing.TB, name string, qtype uint16, change ...func(*dns.Msg)) []byte {
	t.Helper()
	m := dns.Msg{Question: []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}}
	for _, f := range change {
		f(&m)
	}
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rr(t testing.TB, text string) dns.RR {
	t.Helper()
	out, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// start runs a task, and returns how to stop it: it must end, with nil.
func start(t *testing.T, run func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}
