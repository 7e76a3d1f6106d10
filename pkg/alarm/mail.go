package alarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// replyMax is how much a mail server may say in one session.
const replyMax = 256 << 10

// mail sends a message by SMTP.
func (o *outside) mail(ctx context.Context, t Target, n note) error {
	conn, err := o.mailConn(ctx, t)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := smtp.NewClient(conn, t.url.Hostname())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := o.greet(c, conn, t); err != nil {
		return said(err, false)
	}
	for _, step := range []func() error{
		func() error { return c.Mail(t.from) },
		func() error { return c.Rcpt(t.rcpt) },
	} {
		if err := step(); err != nil {
			return said(err, false)
		}
	}
	w, err := c.Data()
	if err != nil {
		return said(err, false)
	}
	if _, err := w.Write(letter(t, n, time.Now())); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return said(err, true)
	}
	_ = c.Quit() // it is theirs already
	return nil
}

// mailConn connects to the mail server, by TLS where that comes first.
func (o *outside) mailConn(ctx context.Context, t Target) (net.Conn, error) {
	host, port := t.url.Hostname(), t.url.Port()
	switch t.url.Scheme {
	case "smtps":
		port = orElse(port, "465")
	case "smtp+plain":
		port = orElse(port, "25")
	default:
		port = orElse(port, "587")
	}
	conn, err := o.connect(ctx, net.JoinHostPort(host, port), t.plain)
	if err != nil {
		return nil, err
	}
	conn = &bounded{Conn: conn, left: replyMax}
	if t.url.Scheme != "smtps" {
		return conn, nil
	}
	secure := tls.Client(conn, o.tls(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// greet says who we are, makes the connection a safe one and proves the user.
func (o *outside) greet(c *smtp.Client, conn net.Conn, t Target) error {
	// An address as a name is right for who has no name in the DNS (RFC 5321 §4.1.3).
	name := "localhost"
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		if name = "[" + a.IP.String() + "]"; a.IP.To4() == nil {
			name = "[IPv6:" + a.IP.String() + "]"
		}
	}
	if err := c.Hello(name); err != nil {
		return err
	}
	if t.url.Scheme == "smtp" && !here(t.url.Hostname()) {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("it offers no STARTTLS, so the mail would go in clear; write smtps:// if it speaks TLS from the start, or smtp+plain:// if that may be")
		}
		if err := c.StartTLS(o.tls(t.url.Hostname())); err != nil {
			return err
		}
	}
	if t.user == "" {
		return nil
	}
	ok, ways := c.Extension("AUTH")
	has := func(way string) bool { return strings.Contains(" "+strings.ToUpper(ways)+" ", " "+way+" ") }
	switch {
	case ok && has("PLAIN"):
		return c.Auth(plainAuth{t.user, t.password})
	case ok && has("LOGIN"):
		return c.Auth(&loginAuth{answers: []string{t.user, t.password}})
	default:
		return errors.New("it takes no password by PLAIN or LOGIN; leave user and password out, or write another port")
	}
}

// here reports whether a mail server is on this host, where nobody listens on the way
// and certificates are made up.
func here(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// plainAuth is AUTH PLAIN (RFC 4616). It is used only where greet has made the
// connection safe, which the standard library's would doubt on other loopbacks than
// its three.
type plainAuth struct{ user, password string }

func (a plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
}

func (plainAuth) Next(_ []byte, more bool) ([]byte, error) { return nothingMore(more) }

// loginAuth is AUTH LOGIN, which was never standardized and is all that some large
// providers take: two questions, whose words differ, for user and password.
type loginAuth struct{ answers []string }

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	if !more || len(a.answers) == 0 {
		return nothingMore(more)
	}
	next := a.answers[0]
	a.answers = a.answers[1:]
	return []byte(next), nil
}

func nothingMore(more bool) ([]byte, error) {
	if more {
		return nil, errors.New("it asks for more than user and password")
	}
	return nil, nil
}

// said turns a server's refusal into ours. data: it was the message itself that was
// refused; 5xx is for good (RFC 5321 §4.2.1).
func said(err error, data bool) error {
	var no *textproto.Error
	if !errors.As(err, &no) {
		return err
	}
	return refusal{text: fmt.Sprintf("it answers %d %s", no.Code, no.Msg), message: data && no.Code/100 == 5}
}

// letter is the mail (RFC 5322). Only what was made fit for one line gets into its
// headers.
func letter(t Target, n note, now time.Time) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(t.from, "@")
	from := netmail.Address{Name: strings.TrimSpace("Lastwatt " + n.from), Address: t.from}
	to := netmail.Address{Address: t.rcpt}
	for _, h := range [][2]string{
		{"Date", now.Format(time.RFC1123Z)},
		{"From", from.String()},
		{"To", to.String()},
		// Folded between its words: a line has at most 998 letters (RFC 5322 §2.1.1).
		{"Subject", strings.ReplaceAll(mime.QEncoding.Encode("utf-8", n.heading()), "?= =?", "?=\r\n =?")},
		{"Message-ID", "<" + n.id + "@" + domain + ">"}, // the same when it is sent twice
		{"Auto-Submitted", "auto-generated"},            // RFC 3834: no holiday notes, please
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(n.body(), "\n", "\r\n") + "\r\n"))
	_ = w.Close() // neither can fail: a buffer takes everything
	return b.Bytes()
}
