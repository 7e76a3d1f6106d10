package alarm

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mailServer is a server on loopback that speaks as much SMTP as its fields say and
// notes what it is told.
type mailServer struct {
	auth     string            // the ways that it takes; empty: none
	startTLS bool              // it offers STARTTLS
	implicit bool              // TLS comes first
	says     map[string]string // in place of its usual answers, by command
	cert     tls.Certificate

	told []string // what it was told, "TLS" where that began
	mail string
	done chan struct{}
}

// serve answers one session and returns how to reach it by any name.
func (s *mailServer) serve(t *testing.T) *outside {
	t.Helper()
	h := httptest.NewUnstartedServer(nil) // for its certificate, of example.com
	h.StartTLS()
	t.Cleanup(h.Close)
	s.cert = h.TLS.Certificates[0]
	out, _ := server(t, true, well)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		conn, err := l.Accept()
		if err == nil {
			s.session(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-s.done })
	out.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		s.told = append(s.told, address)
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
	return out
}

func (s *mailServer) secure(conn net.Conn) (net.Conn, *bufio.Reader, bool) {
	c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	if c.Handshake() != nil {
		return nil, nil, false
	}
	s.told = append(s.told, "TLS")
	return c, bufio.NewReader(c), true
}

func (s *mailServer) session(conn net.Conn) {
	var ok bool
	r := bufio.NewReader(conn)
	if s.implicit {
		if conn, r, ok = s.secure(conn); !ok {
			return
		}
	}
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 mail.example.com ready")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.told = append(s.told, line)
		verb, _, _ := strings.Cut(line, " ")
		if text, ok := s.says[verb]; ok {
			say(text)
			continue
		}
		switch verb {
		case "EHLO":
			text := "250-mail.example.com"
			if s.auth != "" {
				text += "\r\n250-AUTH " + s.auth
			}
			if s.startTLS {
				text += "\r\n250-STARTTLS"
			}
			say(text + "\r\n250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			if conn, r, ok = s.secure(conn); !ok {
				return
			}
		case "AUTH":
			s.login(line, r, say)
		case "DATA":
			say("354 go on")
			for line, err = r.ReadString('\n'); err == nil && line != ".\r\n"; line, err = r.ReadString('\n') {
				s.mail += line
			}
			if text, ok := s.says["."]; ok {
				say(text)
				continue
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 well")
		}
	}
}

// login takes bob's password only.
func (s *mailServer) login(line string, r *bufio.Reader, say func(string)) {
	ok := line == "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00bob\x00s3cret"))
	if line == "AUTH LOGIN" {
		var said []string
		for _, question := range []string{"Username:", "Password:"} {
			say("334 " + base64.StdEncoding.EncodeToString([]byte(question)))
			answer, _ := r.ReadString('\n')
			b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(answer))
			said = append(said, string(b))
		}
		ok = cmp.Equal(said, []string{"bob", "s3cret"})
	}
	if ok {
		say("235 welcome")
	} else {
		say("535 5.7.8 no, bob:wrong-s3cret is not right")
	}
}

const byBob = "smtp://bob:s3cret@example.com/?from=rack@example.org&to=me@example.net"

func TestMailIsSent(t *testing.T) {
	plain := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00bob\x00s3cret"))
	envelope := []string{"MAIL FROM:<rack@example.org> BODY=8BITMIME", "RCPT TO:<me@example.net>", "DATA", "QUIT"}
	for _, c := range []struct {
		name, to string
		server   mailServer
		want     []string
	}{
		{"STARTTLS and PLAIN", byBob, mailServer{startTLS: true, auth: "LOGIN PLAIN"},
			append([]string{"example.com:587", "EHLO [127.0.0.1]", "STARTTLS", "TLS", "EHLO [127.0.0.1]", plain}, envelope...)},
		{"STARTTLS and LOGIN", byBob, mailServer{startTLS: true, auth: "login xoauth2"},
			append([]string{"example.com:587", "EHLO [127.0.0.1]", "STARTTLS", "TLS", "EHLO [127.0.0.1]", "AUTH LOGIN"}, envelope...)},
		{"TLS first", strings.Replace(byBob, "smtp:", "smtps:", 1), mailServer{implicit: true, auth: "PLAIN"},
			append([]string{"example.com:465", "TLS", "EHLO [127.0.0.1]", plain}, envelope...)},
		{"another port, no user", "smtp://example.com:2525/?from=rack@example.org&to=me@example.net", mailServer{startTLS: true, auth: "PLAIN"},
			append([]string{"example.com:2525", "EHLO [127.0.0.1]", "STARTTLS", "TLS", "EHLO [127.0.0.1]"}, envelope...)},
		{"this host", "smtp://localhost:25?from=rack@example.org&to=me@example.net", mailServer{startTLS: true},
			append([]string{"localhost:25", "EHLO [127.0.0.1]"}, envelope...)},
		{"in clear at home", "smtp+plain://relay.lan?from=rack@example.org&to=me@example.net", mailServer{},
			append([]string{"relay.lan:25", "EHLO [127.0.0.1]"}, envelope...)},
	} {
		s := &c.server
		out := s.serve(t)
		if err := out.send(t.Context(), only(t, "to = '"+c.to+"'"), failed()); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		<-s.done
		if diff := cmp.Diff(c.want, s.told); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if !strings.Contains(s.mail, "Subject: rack1: ups/main: the power failed\r\n") || !strings.HasSuffix(s.mail, "\r\n\r\nOn battery.\r\n2026-01-02 15:04:05 UTC\r\n") {
			t.Errorf("%s: the mail is\n%s", c.name, s.mail)
		}
	}
}

func TestMailIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		server mailServer
		to     string
		want   refusal
	}{
		{name: "wrong password", server: mailServer{startTLS: true, auth: "PLAIN"}, to: strings.Replace(byBob, "s3cret", "wrong-s3cret", 1),
			want: refusal{text: "it answers 535 5.7.8 no, bob:… is not right"}},
		{name: "not now", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{"RCPT": "451 4.7.1 come again in five minutes"}},
			want: refusal{text: "it answers 451 4.7.1 come again in five minutes"}},
		{name: "never heard of", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{"RCPT": "550-5.1.1 no such\r\n550 5.1.1 user"}},
			want: refusal{text: "it answers 550 5.1.1 no such 5.1.1 user"}},
		{name: "not from you", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{"MAIL": "553 not yours"}},
			want: refusal{text: "it answers 553 not yours"}},
		{name: "spam", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{".": "554 5.7.1 spam"}},
			want: refusal{text: "it answers 554 5.7.1 spam", message: true}},
		{name: "disk full", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{".": "452 4.3.1 later"}},
			want: refusal{text: "it answers 452 4.3.1 later"}},
		{name: "no DATA", server: mailServer{startTLS: true, auth: "PLAIN", says: map[string]string{"DATA": "421 shutting down"}},
			want: refusal{text: "it answers 421 shutting down"}},
	} {
		if c.to == "" {
			c.to = byBob
		}
		s := &c.server
		err := s.serve(t).send(t.Context(), only(t, "to = '"+c.to+"'"), failed())
		var no refusal
		if !errors.As(err, &no) || no != c.want {
			t.Errorf("%s: got %+v (%v), want %+v", c.name, no, err, c.want)
		}
	}
}

func TestNothingIsToldToAnUnsafeMailServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		server mailServer
		to     string
		want   string
	}{
		{"no STARTTLS", mailServer{auth: "PLAIN"}, byBob, "it offers no STARTTLS, so the mail would go in clear"},
		{"STARTTLS refused", mailServer{startTLS: true, says: map[string]string{"STARTTLS": "454 not available"}}, byBob, "it answers 454 not available"},
		{"another's certificate", mailServer{startTLS: true}, strings.Replace(byBob, "example.com", "elsewhere.example", 1), "certificate is valid for example.com"},
		{"another's certificate first", mailServer{implicit: true}, strings.Replace(strings.Replace(byBob, "smtp", "smtps", 1), "example.com", "elsewhere.example", 1), "certificate is valid for example.com"},
		{"no passwords", mailServer{startTLS: true, auth: "GSSAPI"}, byBob, "it takes no password by PLAIN or LOGIN"},
		{"endless greeting", mailServer{says: map[string]string{"EHLO": strings.Repeat("250-x\r\n", replyMax/5)}}, byBob, "the answer has no end"},
	} {
		s := &c.server
		err := s.serve(t).send(t.Context(), only(t, "to = '"+c.to+"'"), failed())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		<-s.done
		for _, line := range s.told {
			if strings.HasPrefix(line, "AUTH") || strings.HasPrefix(line, "MAIL") {
				t.Errorf("%s: it was told %s", c.name, line)
			}
		}
	}
}

func TestTheLetter(t *testing.T) {
	n := failed()
	n.Title = strings.Repeat("🔌", titleMax-40) + "Größe" + "\r\nBcc: everybody@example.org"
	n.Text = "first = line\n.\n" + strings.Repeat("long ", 100)
	n.Message = n.tidy(when)
	b := letter(only(t, "to = '"+byBob+"'"), n, when.Add(time.Hour))
	for i, line := range strings.Split(string(b), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line %d is none: %q", i, line)
		}
	}
	m, err := netmail.ReadMessage(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != n.heading() {
		t.Errorf("subject %q, %v", subject, err)
	}
	m.Header["Subject"] = nil
	want := netmail.Header{
		"Subject": nil, "Date": {"Fri, 02 Jan 2026 16:04:05 +0000"}, "From": {`"Lastwatt rack1" <rack@example.org>`}, "To": {"<me@example.net>"},
		"Message-Id": {"<ID1@example.org>"}, "Auto-Submitted": {"auto-generated"}, "Mime-Version": {"1.0"},
		"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
	}
	if diff := cmp.Diff(want, m.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || got != n.body()+"\n" {
		t.Errorf("body %q, %v", got, err)
	}
}

func TestSomePasswordsTakeMore(t *testing.T) {
	for _, a := range []interface {
		Next([]byte, bool) ([]byte, error)
	}{plainAuth{}, &loginAuth{}} {
		if _, err := a.Next([]byte("a third question"), true); err == nil {
			t.Error(fmt.Sprintf("%T", a), "answers what nobody should ask")
		}
		if b, err := a.Next(nil, false); b != nil || err != nil {
			t.Error(b, err)
		}
	}
}

func TestAConnectionEndsWithItsContext(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	out := &outside{dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := out.connect(ctx, "x:1", true)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it stays open: %v", err)
	}
}
