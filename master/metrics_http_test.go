package master

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/test/bufconn"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// get asks h as a local client would.
func get(h http.Handler, method, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func TestMetricsHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := testMaster(t)
		h := m.metricsHandler()
		for _, tt := range []struct {
			method, path string
			code         int
			has          string
		}{
			{"GET", "/", 200, "/readyz"},
			{"GET", "/debug/pprof/", 404, ""},
			{"POST", "/readyz", 405, ""},
			{"DELETE", "/healthz", 405, ""},
			{"PUT", "/", 405, ""},
			// Nothing of this master runs.
			{"GET", "/healthz", 503, "ups main does not answer\n"},
			{"GET", "/readyz", 503, "ups main does not answer\n"},
		} {
			if code, text := get(h, tt.method, tt.path); code != tt.code || !strings.Contains(text, tt.has) {
				t.Errorf("%s %s: %d %.200q, want %d with %q", tt.method, tt.path, code, text, tt.code, tt.has)
			}
		}
		synctest.Wait()
	})
}

func TestReadyzSaysWhyNot(t *testing.T) {
	m := testMaster(t)
	unread := "ups/main: not read yet"
	for _, tt := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"at the start", func() {}, []string{unread, "master/rack1: the network is not listened on yet"}},
		{"the address is taken", func() { m.told(health.Network)(fmt.Errorf("no node hears this master:\n  taken")) },
			[]string{unread, "master/rack1: no node hears this master: taken"}},
		{"it listens", func() { m.told(health.Network)(nil); m.door.Store(limited(nil)) }, []string{unread}},
		{"on mains", func() { m.hub.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}}) }, nil},
	} {
		tt.change()
		if diff := cmp.Diff(tt.want, m.unreadyIn(m.status())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestSameDoor(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{":8493", ":8493", true},
		{":8493", "127.0.0.1:8493", true},
		{"192.0.2.1:8493", "[::]:8493", true},
		{"192.0.2.1:8493", "192.0.2.1:8493", true},
		{"192.0.2.1:8493", "127.0.0.1:8493", false},
		{":8493", ":8495", false},
		{":8493", "", false},
	} {
		if got := sameDoor(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
}

// TestMetricsServerHasLimits: whoever says nothing, says too much or comes with a
// crowd is sent away, and the next is served.
func TestMetricsServerHasLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 16)
		hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
		serve, stop := serveHTTP(hello, l, slog.New(slog.DiscardHandler))
		served := make(chan error, 1)
		go func() { served <- serve() }()
		dial := func() net.Conn {
			c, err := l.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		ask := func(header string) string {
			c := dial()
			go func() { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+header+"\r\n") }()
			line, _ := bufio.NewReader(c).ReadString('\n')
			return strings.TrimSpace(line)
		}
		if got := ask(""); got != "HTTP/1.1 200 OK" {
			t.Errorf("a plain request: %q", got)
		}
		if got := ask("X: " + strings.Repeat("x", 2*metricsHeader) + "\r\n"); !strings.Contains(got, " 431 ") {
			t.Errorf("a header too large: %q", got)
		}
		began := time.Now()
		if _, err := dial().Read(make([]byte, 1)); err == nil || time.Since(began) > metricsRead {
			t.Errorf("a client that says nothing is sent away after %s: %v", time.Since(began), err)
		}
		var crowd []net.Conn
		for range 2 * metricsConns {
			crowd = append(crowd, dial())
		}
		synctest.Wait()
		if got := ask(""); got != "HTTP/1.1 200 OK" {
			t.Errorf("beside a crowd: %q", got)
		}
		open := 0
		for _, c := range crowd {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) || err != nil && strings.Contains(err.Error(), "timeout") {
				open++
			}
		}
		if open == 0 || open >= metricsConns {
			t.Errorf("%d of a crowd of %d are still there, want less than %d", open, len(crowd), metricsConns)
		}
		began = time.Now()
		stop()
		if err := <-served; err != nil || time.Since(began) > goodbye {
			t.Errorf("it ends after %s: %v", time.Since(began), err)
		}
	})
}
