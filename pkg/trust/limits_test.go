package trust

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

func from(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// secret makes one guess per number.
func secret(n int) []byte { return fmt.Appendf(nil, "%016d", n) }

func TestLimiterByAddress(t *testing.T) {
	l, now := NewLimiter(), power.Uptime(time.Hour)
	alice, bob := from("10.0.0.1:1000"), from("10.0.0.2:1000")
	if a, b := l.slots2(alice, bob); a == b {
		l = NewLimiter() // one time in 1024 the two share a bucket; the next seed parts them
	}
	try := func(at power.Uptime, who net.Addr, n int) error { return l.Try(at, who, secret(n)) }
	for i := range tryBurst {
		if err := try(now, alice, i); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	// Another port and another way to write the address are the same host.
	for _, who := range []string{"10.0.0.1:1000", "10.0.0.1:2000", "[::ffff:10.0.0.1]:3"} {
		if err := try(now, from(who), 100); !errors.Is(err, ErrTries) || !strings.Contains(err.Error(), "wait 11s") {
			t.Errorf("from %s, one try too many: %v", who, err)
		}
	}
	if err := try(now, bob, 101); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if err := try(now.Add(tryEvery-1), alice, 102); !errors.Is(err, ErrTries) {
		t.Errorf("too early: %v", err)
	}
	if err := try(now.Add(tryEvery), alice, 103); err != nil {
		t.Errorf("one comes back: %v", err)
	}
	if err := try(now.Add(tryEvery), alice, 104); !errors.Is(err, ErrTries) {
		t.Errorf("only one comes back: %v", err)
	}
	later := now.Add(time.Hour)
	for i := range tryBurst {
		if err := try(later, alice, 200+i); err != nil {
			t.Errorf("after an hour, try %d: %v", i, err)
		}
	}
	if err := try(later, alice, 300); !errors.Is(err, ErrTries) {
		t.Errorf("an hour saves up more than a burst: %v", err)
	}
}

func (l *Limiter) slots2(a, b net.Addr) (uint64, uint64) {
	x, _ := l.slots(a, nil)
	y, _ := l.slots(b, nil)
	return x, y
}

// TestLimiterByToken: one token from everywhere is one token.
func TestLimiterByToken(t *testing.T) {
	l := NewLimiter()
	refused := 0
	for i := range 3 * tryBurst {
		if err := l.Try(0, from(fmt.Sprintf("10.0.1.%d:1", i)), secret(1)); errors.Is(err, ErrTries) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused < 2*tryBurst {
		t.Errorf("%d refused, want %d", refused, 2*tryBurst)
	}
}

// TestLimiterLetsARackIn: 100 machines behind one address, each with its token.
func TestLimiterLetsARackIn(t *testing.T) {
	l, nat := NewLimiter(), from("192.0.2.1:1")
	for i := range 100 {
		if err := l.Try(0, nat, secret(i)); err != nil {
			t.Fatalf("machine %d: %v", i, err)
		}
		l.Good(nat)
	}
}

// TestLimiterBoundsGuessing: whoever has every address of a network gets no more
// than so many tries out of all of them together.
func TestLimiterBoundsGuessing(t *testing.T) {
	l := NewLimiter()
	const minute = 6 // tries per bucket
	let := 0
	for i := range 20000 {
		addr := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)}), 1))
		if l.Try(power.Uptime(i)*power.Uptime(time.Minute)/20000, addr, secret(i)) == nil {
			let++
		}
	}
	if most := buckets * (tryBurst + minute); let > most {
		t.Errorf("%d tries in a minute, want at most %d", let, most)
	}
	if let < buckets {
		t.Errorf("%d tries were let through: this limits everybody", let)
	}
	for _, odd := range []net.Addr{nil, &net.UnixAddr{Name: "@"}, from("[fe80::1%eth0]:1")} {
		_ = l.Try(0, odd, nil)
	}
}

func TestLimiterAllAtOnce(t *testing.T) {
	l := NewLimiter()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				if l.Try(power.Uptime(j), from("10.0.0.1:1"), secret(i)) == nil {
					l.Good(from("10.0.0.1:1"))
				}
			}
		})
	}
	wg.Wait()
}

// fakeDoor hands out connections that say where they come from.
type fakeDoor struct {
	net.Listener
	in chan net.Conn
}

func (d *fakeDoor) Accept() (net.Conn, error) {
	c, ok := <-d.in
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

type fakeConn struct {
	net.Conn
	addr net.Addr
}

func (c fakeConn) RemoteAddr() net.Addr { return c.addr }

// knock comes through a listener: it returns the server's end (nil: refused) and
// the caller's own.
func knock(l *Listener, addr string) (server net.Conn, client net.Conn) {
	client, far := net.Pipe()
	var a net.Addr = &net.UnixAddr{Name: addr}
	if p, err := netip.ParseAddrPort(addr); err == nil {
		a = net.TCPAddrFromAddrPort(p)
	}
	door := &fakeDoor{in: make(chan net.Conn, 1)}
	door.in <- fakeConn{far, a}
	close(door.in)
	l.Listener = door
	server, err := l.Accept()
	if err != nil {
		return nil, client
	}
	return server, client
}

// closed reports whether the other end of c is closed.
func closed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Unix(1, 0)) // long ago: only what is known already
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func TestListenerPerAddressAndTotal(t *testing.T) {
	l := LimitListener(nil, Limits{Total: 5, PerAddress: 2})
	var open []net.Conn
	for i, step := range []struct {
		addr string
		in   bool
	}{
		{"10.0.0.1:1", true}, {"10.0.0.1:2", true}, {"10.0.0.1:3", false}, {"[::ffff:10.0.0.1]:4", false},
		{"10.0.0.2:1", true}, {"in memory", true}, {"in memory", true}, {"10.0.0.3:1", false},
	} {
		server, client := knock(l, step.addr)
		if (server != nil) != step.in || closed(client) == step.in {
			t.Errorf("knock %d from %s: in %v, closed %v", i, step.addr, server != nil, closed(client))
		}
		if server != nil {
			open = append(open, server)
		}
	}
	if l.Refused() != 3 {
		t.Errorf("%d were refused, want 3", l.Refused())
	}
	// Who goes makes room, once however often he is closed.
	for range 3 {
		_ = open[0].Close()
	}
	if server, _ := knock(l, "10.0.0.1:5"); server == nil {
		t.Error("no room after one has gone")
	}
	if server, _ := knock(l, "10.0.0.9:5"); server != nil {
		t.Error("room for two after one has gone")
	}
	for _, c := range open {
		_ = c.Close()
	}
	if len(l.addrs) != 1 || l.total != 1 || len(l.unproved) != 1 {
		t.Errorf("it still counts %v, %d, %d", l.addrs, l.total, len(l.unproved))
	}
}

// TestListenerUnderFire: thousands who say nothing displace one another, never one
// who has proved a key; and one who comes in their midst gets in.
func TestListenerUnderFire(t *testing.T) {
	const crowd = 64
	l := LimitListener(nil, Limits{Total: 100, PerAddress: 1000, PerKey: 2, Unproved: crowd})
	agent, agentEnd := knock(l, "10.0.0.1:1")
	if err := l.Prove(agent, "web1"); err != nil {
		t.Fatal(err)
	}
	latest := 0
	for i := range 10000 {
		server, client := knock(l, "10.6.6.6:1")
		if server == nil || closed(client) {
			t.Fatalf("knock %d: a newcomer is refused while others say nothing", i)
		}
		if i%100 == 0 { // a handshake that is done before the next ten knock
			for range 10 {
				knock(l, "10.6.6.6:1")
			}
			if l.Prove(server, "web2") == nil && !closed(client) {
				latest++
			}
			_ = server.Close()
		}
	}
	if closed(agentEnd) {
		t.Error("who had proved a key was displaced")
	}
	// Each of ten newcomers displaces it with one chance in 64: 85 of 100 stay.
	if latest < 60 {
		t.Errorf("%d of 100 newcomers got in", latest)
	}
	if len(l.unproved) > crowd || l.total > crowd+1 || len(l.keys) != 1 {
		t.Errorf("it holds %d unproved, %d in all, keys %v", len(l.unproved), l.total, l.keys)
	}
}

func TestListenerPerKey(t *testing.T) {
	l := LimitListener(nil, Limits{PerKey: 2})
	var conns []net.Conn
	for range 3 {
		c, _ := knock(l, "10.0.0.1:1")
		conns = append(conns, c)
	}
	for i, want := range []error{nil, nil, ErrConnections} {
		if err := l.Prove(conns[i], "web1"); !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
	}
	if err := l.Prove(conns[0], "web1"); err != nil {
		t.Errorf("proved twice: %v", err)
	}
	_ = conns[0].Close()
	if err := l.Prove(conns[2], "web1"); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
	if err := l.Prove(conns[0], "web1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("one that is closed: %v", err)
	}
	other, _ := knock(LimitListener(nil, Limits{}), "10.0.0.1:1")
	for _, c := range []net.Conn{other, fakeConn{}} {
		if err := l.Prove(c, "web1"); err != nil {
			t.Errorf("not of this listener: %v", err)
		}
	}
	if len(l.keys["web1"]) != 2 {
		t.Errorf("it counts %v", l.keys)
	}
}

// TestListenerFull: where all have proved a key, nobody is displaced.
func TestListenerFull(t *testing.T) {
	l := LimitListener(nil, Limits{Total: 2, Unproved: 2})
	var ends []net.Conn
	for i := range 2 {
		c, end := knock(l, "10.0.0.1:1")
		ends = append(ends, end)
		if err := l.Prove(c, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if c, _ := knock(l, "10.0.0.2:1"); c != nil {
		t.Error("a third got in")
	}
	if closed(ends[0]) || closed(ends[1]) {
		t.Error("one who had proved a key was displaced")
	}
}

// TestListenerOnTCP: the real thing, from many goroutines.
func TestListenerOnTCP(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, raw, err)
	l := LimitListener(raw, Limits{Total: 8, Unproved: 4})
	var count atomic.Int32
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			served.Go(func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() })
		}
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 20 {
				// One that is displaced early hears of it in its connect.
				if c, err := net.Dial("tcp", raw.Addr().String()); err == nil {
					_ = c.Close()
				}
			}
		})
	}
	clients.Wait()
	_ = l.Close()
	served.Wait()
	if l.total != 0 || len(l.addrs) != 0 || len(l.unproved) != 0 {
		t.Errorf("it still counts %d, %v, %d", l.total, l.addrs, len(l.unproved))
	}
	if count.Load() == 0 {
		t.Error("nobody got in")
	}
}
