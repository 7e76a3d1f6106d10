package alarm

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// when is the moment of the tests' messages.
var when = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// failed is a note as most are.
func failed() note {
	return note{
		Message: Message{Event: "fail", On: "ups/main", Title: "ups/main: the power failed", Text: "On battery.", Wall: when},
		id:      "ID1", from: "rack1",
	}
}

// got is one request as it came.
type got struct {
	Method, URL, Host string
	Header            map[string]string
	Body              any
}

// server answers every request by answer and returns how to reach it, under whatever
// name, and what it was sent.
func server(t *testing.T, secure bool, answer http.HandlerFunc) (*outside, chan got) {
	t.Helper()
	seen := make(chan got, 8)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := got{Method: r.Method, URL: r.URL.String(), Host: r.Host, Header: map[string]string{}}
		for _, h := range []string{"Content-Type", "Authorization", "X-Gotify-Key", "User-Agent"} {
			if v := r.Header.Get(h); v != "" {
				g.Header[h] = v
			}
		}
		if !r.Close {
			t.Error("the connection is to be kept open")
		}
		if err := json.NewDecoder(r.Body).Decode(&g.Body); err != nil {
			t.Errorf("the body: %v", err)
		}
		seen <- g
		answer(w, r)
	})
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are to fail
	out := &outside{}
	if secure {
		s.StartTLS()
		out.roots = x509.NewCertPool()
		out.roots.AddCert(s.Certificate()) // it is for example.com
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	out.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	return out, seen
}

func well(http.ResponseWriter, *http.Request) {}

func TestWhatWebhooksAreSent(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("tk_s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	const body = "On battery.\n2026-01-02 15:04:05 UTC"
	for _, c := range []struct {
		name   string
		lines  []string
		change func(*note)
		url    string
		header map[string]string
		body   any
	}{
		{name: "json", lines: []string{"to = 'https://example.com/hook?k=v'"}, url: "/hook?k=v",
			body: m{"id": "ID1", "from": "rack1", "event": "fail", "on": "ups/main", "problem": "", "title": "ups/main: the power failed",
				"text": "On battery.", "time": "2026-01-02T15:04:05Z", "late_seconds": 0.0, "lost": 0.0}},
		{name: "json, late", lines: []string{"to = 'https://bob:s3cret@example.com/'"}, url: "/",
			change: func(n *note) { n.late, n.lost, n.Problem = 90*time.Second, 3, "blind" },
			header: map[string]string{"Authorization": "Basic Ym9iOnMzY3JldA=="},
			body: m{"id": "ID1", "from": "rack1", "event": "fail", "on": "ups/main", "problem": "blind", "title": "ups/main: the power failed",
				"text": "On battery.", "time": "2026-01-02T15:04:05Z", "late_seconds": 90.0, "lost": 3.0}},
		{name: "slack", lines: []string{"to = 'https://example.com/services/x'", "as = 'slack'"}, url: "/services/x",
			change: func(n *note) { n.Text = "<!channel> & <https://x|y>" },
			body:   m{"text": "rack1: ups/main: the power failed\n&lt;!channel&gt; &amp; &lt;https://x|y&gt;\n2026-01-02 15:04:05 UTC", "mrkdwn": false}},
		{name: "discord", lines: []string{"to = 'https://example.com/api/webhooks/1/x'", "as = 'discord'"}, url: "/api/webhooks/1/x",
			change: func(n *note) { n.Text = "@everyone my_node_1 *x*" },
			body: m{"content": "rack1: ups/main: the power failed\n@everyone my\\_node\\_1 \\*x\\*\n2026-01-02 15:04:05 UTC",
				"allowed_mentions": m{"parse": []any{}}}},
		{name: "gotify", lines: []string{"to = 'https://example.com/message?token=x'", "as = 'gotify'"}, url: "/message?token=x",
			body: m{"title": "rack1: ups/main: the power failed", "message": body, "priority": 8.0}},
		{name: "gotify by a file", lines: []string{"to = 'https://example.com/sub/message'", "as = 'gotify'", "secret_file = '" + secret + "'"}, url: "/sub/message",
			change: func(n *note) { n.Event = "report" },
			header: map[string]string{"X-Gotify-Key": "tk_s3cret"},
			body:   m{"title": "rack1: ups/main: the power failed", "message": body, "priority": 5.0}},
		{name: "home assistant's webhook", lines: []string{"to = 'https://example.com/api/webhook/x'", "as = 'homeassistant'"}, url: "/api/webhook/x",
			body: m{"title": "rack1: ups/main: the power failed", "message": body, "event": "fail", "on": "ups/main", "problem": ""}},
		{name: "home assistant's action", lines: []string{"to = 'https://example.com/api/services/notify/phone'", "as = 'homeassistant'", "secret_file = '" + secret + "'"},
			url: "/api/services/notify/phone", header: map[string]string{"Authorization": "Bearer tk_s3cret"},
			body: m{"title": "rack1: ups/main: the power failed", "message": body}},
		{name: "ntfy", lines: []string{"to = 'ntfy://example.com/rack'"}, url: "/",
			body: m{"topic": "rack", "title": "rack1: ups/main: the power failed", "message": body, "priority": 4.0, "tags": []any{"electric_plug"}}},
		{name: "ntfy with a token", lines: []string{"to = 'ntfy://:tk_s3cret@example.com:8443/rack/'"}, url: "/",
			change: func(n *note) { n.Title, n.Text, n.Event = "Größe ✓", "", "batlow" },
			header: map[string]string{"Authorization": "Bearer tk_s3cret"},
			body:   m{"topic": "rack", "title": "rack1: Größe ✓", "message": "2026-01-02 15:04:05 UTC", "priority": 5.0, "tags": []any{"rotating_light"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, seen := server(t, true, well)
			n := failed()
			if c.change != nil {
				c.change(&n)
			}
			if err := out.send(t.Context(), only(t, c.lines...), n); err != nil {
				t.Fatal(err)
			}
			is := <-seen
			want := got{Method: "POST", URL: c.url, Host: is.Host, Header: map[string]string{"Content-Type": "application/json", "User-Agent": "lastwatt"}, Body: c.body}
			for k, v := range c.header {
				want.Header[k] = v
			}
			if diff := cmp.Diff(want, is); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// answers is a handler with one answer.
func answers(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestAnswersThatSayNo(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   refusal
	}{
		{"not found", answers(404, `no route /hook/s3cret-token`), refusal{text: "it answers 404 Not Found: no route /hook/…"}},
		{"unauthorized", answers(401, "password s3cret/pw or s3cret%2Fpw is wrong, key=s3cret-key too"), refusal{text: "it answers 401 Unauthorized: password … or … is wrong, … too"}},
		{"bad", answers(400, "a\x1b[2Jb\nc"), refusal{text: "it answers 400 Bad Request: a?[2Jb c", message: true}},
		{"too large", answers(413, ""), refusal{text: "it answers 413 Request Entity Too Large", message: true}},
		{"too many", answers(429, "", "Retry-After", "7"), refusal{text: "it answers 429 Too Many Requests", after: 7}},
		{"too many until a date", answers(429, "", "Retry-After", "Fri, 02 Jan 2026 15:04:05 GMT"), refusal{text: "it answers 429 Too Many Requests"}},
		{"broken", answers(500, strings.Repeat("x", 1<<20)), refusal{text: "it answers 500 Internal Server Error: " + strings.Repeat("x", errorMax-38-1) + "…"}},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("x", 1<<16))
			}
		}, refusal{text: "it answers 500 Internal Server Error: " + strings.Repeat("x", errorMax-38-1) + "…"}},
		{"elsewhere", answers(307, "", "Location", "https://elsewhere.example/s3cret-token?x"), refusal{text: "it answers 307 Temporary Redirect, go to https://elsewhere.example; write that address"}},
		{"as a GET", answers(302, "", "Location", "/login"), refusal{text: "it answers 302 Found, go to https://example.com; write that address"}},
	} {
		out, seen := server(t, true, c.answer)
		err := out.send(t.Context(), only(t, "to = 'https://bob:s3cret%2Fpw@example.com/hook/s3cret-token?key=s3cret-key'"), failed())
		var no refusal
		if !errors.As(err, &no) || no != c.want {
			t.Errorf("%s: got %+v (%v), want %+v", c.name, no, err, c.want)
		}
		if <-seen; len(seen) > 0 {
			t.Errorf("%s: asked again", c.name)
		}
	}
}

func TestConnectionsThatFail(t *testing.T) {
	good := only(t, "to = 'https://example.com/s3cret-token'")
	out, _ := server(t, true, well)
	other := only(t, "to = 'https://elsewhere.example/s3cret-token'")
	strange := &outside{dial: out.dial, roots: x509.NewCertPool()}
	public, _ := server(t, false, well)
	dial := public.dial
	public.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return publicConn{c}, err
	}
	nobody := &outside{dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("network is unreachable")
	}}
	flood, _ := server(t, true, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret-of-a-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	parrot, _ := server(t, true, answers(401, "s3cret-of-a-file is wrong"))
	for _, c := range []struct {
		name string
		out  *outside
		t    Target
		want string
	}{
		{"another's certificate", out, other, "certificate is valid for example.com"},
		{"an unknown authority", strange, good, "certificate signed by unknown authority"},
		{"in clear to the world", public, only(t, "to = 'http://example.com/s3cret-token'"), "in clear it is told only within a private network, and 203.0.113.7 is not in one; use TLS"},
		{"ntfy in clear to the world", public, only(t, "to = 'ntfy+http://example.com/s3cret-token'"), "in clear it is told only within a private network, and 203.0.113.7 is not in one; use TLS"},
		{"no network", nobody, good, "network is unreachable"},
		{"a secret that is told again", parrot, only(t, "to = 'https://example.com/'", "secret_file = '"+file+"'"), "it answers 401 Unauthorized: … is wrong"},
		{"headers without end", flood, good, "server response headers exceeded"},
		{"secret gone", out, only(t, "to = 'https://example.com/'", "secret_file = '/nowhere/x'"), "cannot read the secret: open /nowhere/x: no such file or directory"},
	} {
		err := c.out.send(t.Context(), c.t, failed())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	// Parts too short to be looked for are not told either.
	if err := nobody.send(t.Context(), only(t, "to = 'https://example.com/a/b?c=d'"), failed()); err == nil || err.Error() != "network is unreachable" {
		t.Error(err)
	}
	plain, seen := server(t, false, well)
	if err := plain.send(t.Context(), only(t, "to = 'http://ha.lan/x'"), failed()); err != nil {
		t.Errorf("in clear at home: %v", err)
	}
	<-seen
}

// publicConn is a connection to somebody on the Internet.
type publicConn struct{ net.Conn }

func (publicConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 80} }

func TestNobodyIsWaitedForForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &outside{dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, theirs) // who reads and says nothing
				_ = theirs.Close()
			}()
			return ours, nil
		}}
		for _, to := range []string{"http://h/x", "ntfy://h/x", "smtp://h/?from=a@b&to=c@d", "smtps://h/?from=a@b&to=c@d"} {
			ctx, cancel := context.WithTimeout(context.Background(), attemptLimit)
			start := time.Now()
			err := out.send(ctx, only(t, "to = '"+to+"'"), failed())
			cancel()
			if took := time.Since(start); took != attemptLimit || err == nil || err.Error() != "no answer within 20s" {
				t.Errorf("%s: after %s: %v", to, took, err)
			}
		}
	})
}

func TestSecretsOfFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"good", " tk\n", 0o640, ""},
		{"for all", "tk", 0o644, "cannot use the secret: anybody may use PATH; run: chmod o= PATH"},
		{"empty", "\n", 0o600, "cannot use the secret: PATH does not hold one line with a token or a password"},
		{"two lines", "a\nb", 0o600, "cannot use the secret: PATH does not hold one line with a token or a password"},
		{"endless", strings.Repeat("x", 5000), 0o600, "cannot use the secret: PATH does not hold one line with a token or a password"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := readSecret(path)
		if c.want == "" && (err != nil || got != "tk") || c.want != "" && (err == nil || strings.ReplaceAll(err.Error(), path, "PATH") != c.want) {
			t.Errorf("%s: %q, %v; want %s", c.name, got, err, c.want)
		}
	}
	if _, err := readSecret(dir); err == nil || !strings.HasSuffix(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestAProgramIsGivenTheMessage(t *testing.T) {
	var argv, env []string
	var stdin string
	out := &outside{run: func(_ context.Context, a, e []string, in string) error {
		argv, env, stdin = a, e, in
		return errors.New("exit status 7")
	}}
	n := failed()
	n.late = time.Hour
	if err := out.send(t.Context(), only(t, "to = 'exec:///usr/local/bin/alarm'"), n); err == nil || err.Error() != "exit status 7" {
		t.Error(err)
	}
	want := []string{
		"/usr/local/bin/alarm",
		"LASTWATT_FROM=rack1", "LASTWATT_EVENT=fail", "LASTWATT_ON=ups/main", "LASTWATT_PROBLEM=", "LASTWATT_TITLE=ups/main: the power failed",
		"LASTWATT_TEXT=On battery.", "LASTWATT_TIME=2026-01-02T15:04:05Z", "LASTWATT_LATE=3600",
		`{"id":"ID1","from":"rack1","event":"fail","on":"ups/main","problem":"","title":"ups/main: the power failed","text":"On battery.","time":"2026-01-02T15:04:05Z","late_seconds":3600,"lost":0}` + "\n",
	}
	if diff := cmp.Diff(want, append(append(argv, env...), stdin)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := (&outside{}).send(t.Context(), only(t, "to = 'exec:///x'"), n); err == nil {
		t.Error("a program was run where none are")
	}
}

func TestMessagesAreFitForTelephones(t *testing.T) {
	m := Message{Event: "problem", On: "node/a\r\nb", Problem: "blind", Title: "a\r\nBcc: x\u202e", Text: " one\ntwo\x00\x1b[2J\u2028" + strings.Repeat("ä", 3000)}.tidy(when)
	want := Message{
		Event: "problem", On: "node/a  b", Problem: "blind", Title: "a  Bcc: x?",
		Text: "one\ntwo??[2J " + strings.Repeat("ä", textMax-14) + "…", Wall: when,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m := (Message{Event: "clear", On: "node/a", Problem: "blind"}).tidy(when); m.Title != "blind clear: node/a" {
		t.Errorf("a message without a title: %q", m.Title)
	}
	n := failed()
	n.Text, n.late, n.lost = strings.Repeat("_", textMax), 49*time.Hour, 2
	if got := payload(only(t, "to = 'https://discord.com/x'"), n).(map[string]any)["content"].(string); len([]rune(got)) != discordMax {
		t.Errorf("%d characters for discord", len([]rune(got)))
	}
	for _, c := range []struct {
		late time.Duration
		want string
	}{
		{0, ""},
		{90 * time.Second, ", told 1m late: it could not be sent before"},
		{3*time.Hour + 4*time.Minute, ", told 3h04m late: it could not be sent before"},
		{49 * time.Hour, ", told 2 days late: it could not be sent before"},
	} {
		n := note{Message: Message{Wall: when}, late: c.late}
		if got := n.body(); got != "2026-01-02 15:04:05 UTC"+c.want {
			t.Errorf("%s late: %q", c.late, got)
		}
	}
	twice := failed()
	twice.Text = "the power failed"
	if got := twice.body(); got != "2026-01-02 15:04:05 UTC" {
		t.Errorf("it is said twice: %q", got)
	}
	if got := fmt.Sprint(n.heading(), " ", note{Message: Message{Title: "x"}}.heading()); got != "rack1: ups/main: the power failed x" {
		t.Error(got)
	}
}
