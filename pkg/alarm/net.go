package alarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// outside is how the world is reached.
type outside struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	run   func(ctx context.Context, argv, env []string, stdin string) error
	roots *x509.CertPool // nil: the system's
}

// send tells one receiver one message, as long as ctx lasts. Its error holds no secret.
func (o *outside) send(ctx context.Context, t Target, n note) error {
	secrets := t.secrets()
	if t.secretFile != "" {
		secret, err := readSecret(t.secretFile)
		if err != nil {
			return err
		}
		t.password = secret
		secrets = append(secrets, secret)
	}
	var err error
	switch t.kind {
	case webhook, ntfy:
		err = o.post(ctx, t, n)
	case mail:
		err = o.mail(ctx, t, n)
	case program:
		err = o.program(ctx, t, n)
	default:
		err = errors.New("it is nobody")
	}
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", attemptLimit)
	}
	text := oneLine(redact(err.Error(), secrets), errorMax)
	var no refusal
	if errors.As(err, &no) {
		no.text = text
		return no
	}
	return errors.New(text)
}

// errorMax bounds what is shown of an answer.
const errorMax = 300

// refusal is an answer that says no.
type refusal struct {
	text string
	// message: it is this message that they will not have, so the next may do better.
	message bool
	// after is when they want to be asked again, in seconds; 0: they didn't say.
	after int
}

// Error is the answer.
func (r refusal) Error() string { return r.text }

// tls returns how a server of that name is believed: always by its certificate.
func (o *outside) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: o.roots, MinVersion: tls.VersionTLS12}
}

// connect returns a connection that ends with ctx, whoever forgets it: net/http makes
// its TLS handshakes past the context of their request. What is sent in clear goes to
// a private network only, whatever the name stands for today.
func (o *outside) connect(ctx context.Context, address string, clear bool) (net.Conn, error) {
	conn, err := o.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && clear && !private(a.AddrPort().Addr()) {
		_ = conn.Close()
		return nil, fmt.Errorf("in clear it is told only within a private network, and %s is not in one; use TLS", a.IP)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// private reports whether an address is this host's or of a network at home.
func private(a netip.Addr) bool {
	a = a.Unmap()
	// RFC 6598, which mesh networks number their hosts by.
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// secretFileMax bounds a token or a password.
const secretFileMax = 4 << 10

// readSecret reads a token or password from a file that only some may read.
func readSecret(path string) (string, error) {
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("cannot read the secret: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the secret: %w", err)
	case !st.Mode().IsRegular():
		return "", fmt.Errorf("cannot read the secret: %s is not a file", path)
	case st.Mode().Perm()&0o007 != 0:
		return "", fmt.Errorf("cannot use the secret: anybody may use %s; run: chmod o= %s", path, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, secretFileMax+1))
	secret := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the secret: %w", err)
	case secret == "" || len(b) > secretFileMax || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' }):
		return "", fmt.Errorf("cannot use the secret: %s does not hold one line with a token or a password", path)
	}
	return secret, nil
}

// bounded is a connection that is read from only so far: an answer is short, and who
// never ends it must not fill this machine's memory.
type bounded struct {
	net.Conn
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer has no end")
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
