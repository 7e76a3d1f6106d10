package memrack_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/test/memrack"
)

// wired is a connection, and what has arrived at each end.
type wired struct {
	t              *testing.T
	start          time.Time
	client, server net.Conn
	reading        sync.WaitGroup

	mu  sync.Mutex
	got []string // "1.5s client: text"
}

// wire connects the host who to an address, where somebody listens then.
func wire(t *testing.T, n *memrack.Network, who, address string) *wired {
	t.Helper()
	w := &wired{t: t}
	l, err := n.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	w.reading.Go(func() {
		var err error
		if w.server, err = l.Accept(); err != nil {
			t.Error(err)
		}
	})
	if w.client, err = n.Dialer(who)(t.Context(), "tcp", address); err != nil {
		t.Fatal(err)
	}
	w.reading.Wait()
	w.reading.Go(func() { w.read("client", w.client) })
	w.reading.Go(func() { w.read("server", w.server) })
	w.start = time.Now()
	return w
}

func (w *wired) read(end string, c net.Conn) {
	b := make([]byte, 100)
	for {
		n, err := c.Read(b)
		text := string(b[:n])
		if err != nil {
			text = err.Error()
		}
		w.mu.Lock()
		w.got = append(w.got, time.Since(w.start).String()+" "+end+": "+text)
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// say sends text from both ends; that never waits for its arrival.
func (w *wired) say(text string) {
	w.t.Helper()
	for _, c := range []net.Conn{w.client, w.server} {
		if _, err := c.Write([]byte(text)); err != nil {
			w.t.Error(err)
		}
	}
	synctest.Wait()
}

// want compares what has arrived since it was asked last, but for the order of the ends.
func (w *wired) want(want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got [2][]string
	for _, g := range w.got {
		end := 0
		if bytes.Contains([]byte(g), []byte(" server: ")) {
			end = 1
		}
		got[end] = append(got[end], g)
	}
	if d := cmp.Diff(want, append(got[0], got[1]...)); d != "" {
		w.t.Errorf("what arrived (-want +got):\n%s", d)
	}
	w.got = nil
}

func (w *wired) close() {
	_ = w.client.Close()
	_ = w.server.Close()
	w.reading.Wait()
}

func TestWhatIsCutStallsAndGoesOn(t *testing.T) {
	const toServer, toClient = "0s server: a", "0s client: a"
	for name, tc := range map[string]struct {
		who, address string // "web1" and "master:8493" unless said
		cut, heal    func(n *memrack.Network)
		at, later    []string // what arrives at once, and after the heal
	}{
		"nothing":                 {at: []string{toClient, toServer}},
		"the client":              {cut: func(n *memrack.Network) { n.Cut("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }, later: []string{"1s client: a", "1s server: a"}},
		"the server's host":       {cut: func(n *memrack.Network) { n.Cut("master") }, heal: func(n *memrack.Network) { n.Heal("master") }, later: []string{"1s client: a", "1s server: a"}},
		"the server's address":    {cut: func(n *memrack.Network) { n.Cut("master:8493") }, heal: func(n *memrack.Network) { n.Heal("master:8493") }, later: []string{"1s client: a", "1s server: a"}},
		"another port":            {cut: func(n *memrack.Network) { n.Cut("master:8494") }, at: []string{toClient, toServer}},
		"another host":            {cut: func(n *memrack.Network) { n.Cut("web2") }, at: []string{toClient, toServer}},
		"to the client":           {cut: func(n *memrack.Network) { n.CutTo("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }, at: []string{toServer}, later: []string{"1s client: a"}},
		"from the client":         {cut: func(n *memrack.Network) { n.CutFrom("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }, at: []string{toClient}, later: []string{"1s server: a"}},
		"to the server":           {cut: func(n *memrack.Network) { n.CutTo("master") }, heal: func(n *memrack.Network) { n.Heal("master") }, at: []string{toClient}, later: []string{"1s server: a"}},
		"from the server":         {cut: func(n *memrack.Network) { n.CutFrom("master") }, heal: func(n *memrack.Network) { n.Heal("master") }, at: []string{toServer}, later: []string{"1s client: a"}},
		"the switch":              {cut: (*memrack.Network).Off, heal: (*memrack.Network).On, later: []string{"1s client: a", "1s server: a"}},
		"the switch and a host":   {cut: func(n *memrack.Network) { n.Off(); n.Cut("web1") }, heal: (*memrack.Network).On},
		"a host and the switch":   {cut: func(n *memrack.Network) { n.Off(); n.Cut("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }},
		"both hosts":              {cut: func(n *memrack.Network) { n.Cut("master"); n.Cut("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }},
		"a host and one way":      {cut: func(n *memrack.Network) { n.CutFrom("master"); n.Cut("web1") }, heal: func(n *memrack.Network) { n.Heal("web1") }, later: []string{"1s server: a"}},
		"root on its own machine": {who: "root", address: "/run/web1/agent.sock", cut: func(n *memrack.Network) { n.Off(); n.Cut("web1") }, at: []string{toClient, toServer}},
		"a socket of its own":     {address: "/run/web1/agent.sock", cut: func(n *memrack.Network) { n.Off(); n.Cut("web1") }, at: []string{toClient, toServer}},
		"a port of its own":       {address: "web1:8494", cut: func(n *memrack.Network) { n.Off(); n.Cut("web1") }, at: []string{toClient, toServer}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tc.who == "" {
					tc.who = "web1"
				}
				if tc.address == "" {
					tc.address = "master:8493"
				}
				n := memrack.NewNetwork()
				w := wire(t, n, tc.who, tc.address)
				defer w.close()
				if tc.cut != nil {
					tc.cut(n)
				}
				w.say("a")
				w.want(tc.at...)
				time.Sleep(time.Second)
				w.want()
				if tc.heal != nil {
					tc.heal(n)
				}
				w.want(tc.later...)
			})
		})
	}
}

func TestASlowLinkKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memrack.NewNetwork()
		w := wire(t, n, "web1", "master:8493")
		defer w.close()
		n.Slow("web1", 200*time.Millisecond)
		n.Slow("master", 100*time.Millisecond)
		w.say("a")
		time.Sleep(100 * time.Millisecond)
		w.say("b")
		n.Slow("web1", 0)
		n.Slow("master", 0)
		w.say("c") // must not overtake
		time.Sleep(time.Second)
		w.want("300ms client: a", "400ms client: b", "400ms client: c", "300ms server: a", "400ms server: b", "400ms server: c")
		w.say("d")
		w.want("1.1s client: d", "1.1s server: d")

		n.Slow("web1", time.Second) // what was cut meanwhile comes at once, late
		n.CutTo("web1")
		w.say("e")
		time.Sleep(3 * time.Second)
		w.want("2.1s server: e")
		n.Heal("web1")
		w.want("4.1s client: e")
		w.say("f") // healed and still slow
		time.Sleep(2 * time.Second)
		w.want("5.1s client: f", "5.1s server: f")
	})
}

func TestDiallingAcrossACut(t *testing.T) {
	for name, tc := range map[string]struct {
		cut, heal func(n *memrack.Network) // heal comes after a second
		took      time.Duration            // less than 5 s: it connected
		nobody    bool                     // listens
	}{
		"nothing":            {},
		"the client":         {cut: func(n *memrack.Network) { n.Cut("web1") }, took: 5 * time.Second},
		"to the client":      {cut: func(n *memrack.Network) { n.CutTo("web1") }, took: 5 * time.Second},
		"from the client":    {cut: func(n *memrack.Network) { n.CutFrom("web1") }, took: 5 * time.Second},
		"to the server":      {cut: func(n *memrack.Network) { n.CutTo("master") }, took: 5 * time.Second},
		"from the server":    {cut: func(n *memrack.Network) { n.CutFrom("master:8493") }, took: 5 * time.Second},
		"the switch":         {cut: (*memrack.Network).Off, took: 5 * time.Second},
		"nobody is asked":    {cut: (*memrack.Network).Off, took: 5 * time.Second, nobody: true},
		"nobody listens":     {nobody: true},
		"it comes back":      {cut: (*memrack.Network).Off, heal: (*memrack.Network).On, took: time.Second},
		"half of it":         {cut: func(n *memrack.Network) { n.Off(); n.CutFrom("web1") }, heal: (*memrack.Network).On, took: 5 * time.Second},
		"slow":               {cut: func(n *memrack.Network) { n.Slow("web1", 2*time.Second) }, took: 4 * time.Second},
		"slower than people": {cut: func(n *memrack.Network) { n.Slow("web1", 3*time.Second) }, took: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memrack.NewNetwork()
				l, err := n.Listen("tcp", "master:8493")
				if err != nil {
					t.Fatal(err)
				}
				if tc.nobody {
					_ = l.Close()
				}
				go func() {
					for {
						if _, err := l.Accept(); err != nil {
							return
						}
					}
				}()
				defer func() { _ = l.Close() }()
				if tc.cut != nil {
					tc.cut(n)
				}
				if tc.heal != nil {
					time.AfterFunc(time.Second, func() { tc.heal(n) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				_, err = n.Dialer("web1")(ctx, "tcp", "master:8493")
				if late := tc.took == 5*time.Second; late != errors.Is(err, context.DeadlineExceeded) || (tc.nobody || late) != (err != nil) || time.Since(start) != tc.took {
					t.Errorf("it took %s: %v, want %s", time.Since(start), err, tc.took)
				}
			})
		})
	}
}

// TestAnEndIsToldThroughTheNetwork: who closes behind a cut is heard of when that is over.
func TestAnEndIsToldThroughTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memrack.NewNetwork()
		w := wire(t, n, "web1", "master:8493")
		n.CutFrom("web1")
		w.say("a")
		_ = w.client.Close()
		w.want("0s client: a", "0s client: use of closed network connection")
		time.Sleep(time.Second)
		if _, err := w.server.Write([]byte("b")); err != nil {
			t.Errorf("it knows too early: %v", err)
		}
		n.Heal("web1")
		w.want("1s server: a", "1s server: EOF")
		if _, err := w.server.Write([]byte("b")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to who has gone: %v", err)
		}
		w.close()

		w = wire(t, n, "web1", "master:8493")
		n.Cut("web1")
		w.say("lost") // with the host
		_ = w.client.Close()
		n.Drop("web1")
		w.want("0s client: use of closed network connection")
		n.Heal("web1")
		w.want("0s server: EOF")
		w.close()

		w = wire(t, n, "web1", "master:8493")
		n.Drop("master")
		w.want("0s client: EOF", "0s server: use of closed network connection")
		w.close()
	})
}

func TestAStalledConnectionKeepsItsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memrack.NewNetwork()
		w := wire(t, n, "web1", "master:8493")
		defer w.close()
		n.Cut("master")
		_ = w.client.SetDeadline(w.start.Add(3 * time.Second))
		if sent, err := w.client.Write(make([]byte, 1<<20)); err != nil || sent != 1<<20 {
			t.Errorf("%d bytes sent: %v", sent, err)
		}
		w.want()
		time.Sleep(3 * time.Second)
		w.want("3s client: i/o timeout")
		if _, err := w.client.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		_ = w.client.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _ = w.client.Close() })
		if _, err := w.client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || time.Since(w.start) != 4*time.Second {
			t.Errorf("after %s: %v", time.Since(w.start), err)
		}
	})
}

// TestHTTP2GoesOnAfterAStall: nothing is lost and nothing comes twice, whichever way
// stalled, with TLS and flow control in between.
func TestHTTP2GoesOnAfterAStall(t *testing.T) {
	for name, cut := range map[string]func(n *memrack.Network){
		"to the client":   func(n *memrack.Network) { n.CutTo("web1") },
		"from the client": func(n *memrack.Network) { n.CutFrom("web1") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memrack.NewNetwork()
				echo := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(w, r.Body); err != nil {
						t.Error(err)
					}
				}))
				_ = echo.Listener.Close()
				var err error
				if echo.Listener, err = n.Listen("tcp", "echo:443"); err != nil {
					t.Fatal(err)
				}
				echo.EnableHTTP2 = true
				echo.StartTLS()
				defer echo.Close()
				client := echo.Client()
				transport := client.Transport.(*http.Transport)
				transport.DialContext, transport.TLSClientConfig.ServerName = n.Dialer("web1"), "example.com"
				defer transport.CloseIdleConnections()

				n.Slow("web1", 10*time.Millisecond)                    // so that it lasts
				time.AfterFunc(65*time.Millisecond, func() { cut(n) }) // in the middle of it
				time.AfterFunc(5*time.Second, func() { n.Heal("web1") })
				sent := bytes.Repeat([]byte("all of it, once "), 1<<16)
				start := time.Now()
				resp, err := client.Post("https://echo:443/", "", bytes.NewReader(sent))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || !bytes.Equal(got, sent) || resp.ProtoMajor != 2 {
					t.Errorf("%s: %d bytes of %d, %v", resp.Proto, len(got), len(sent), err)
				}
				if took := time.Since(start); took < 5*time.Second || took > 8*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
