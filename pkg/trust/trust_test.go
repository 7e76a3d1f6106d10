package trust

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

const boot = "boot-1"

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	a, err := OpenAuthority(filepath.Join(t.TempDir(), "trust"), "rack1")
	return must(t, a, err)
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	k, err := NewKey()
	return must(t, k, err)
}

func public(t *testing.T, key ed25519.PrivateKey) []byte {
	t.Helper()
	pub, err := PublicKey(key)
	return must(t, pub, err)
}

func newToken(t *testing.T, a *Authority, role Role) Token {
	t.Helper()
	s, err := a.CreateToken(0, boot, TokenOptions{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := ParseToken(s)
	return must(t, tok, err)
}

// join admits a new key under name and returns its identity.
func join(t *testing.T, a *Authority, name string, role Role) Identity {
	t.Helper()
	tok, key := newToken(t, a, role), newKey(t)
	cert, ca, err := a.Admit(0, boot, tok.Secret[:], name, public(t, key))
	if err != nil {
		t.Fatal(err)
	}
	id, err := NewIdentity(tok, key, cert, ca)
	return must(t, id, err)
}

// shake does a handshake over loopback (a net.Pipe has no buffer: an alert that
// crosses a certificate would block both ends), and returns what each end then
// knows, and the error of each.
func shake(t *testing.T, client, server *tls.Config) (c, s tls.ConnectionState, cerr, serr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	sc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server, client = server.Clone(), client.Clone()
	server.NextProtos, client.NextProtos = []string{"h2"}, []string{"h2"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer sc.Close()
		conn := tls.Server(sc, server)
		if serr = conn.Handshake(); serr == nil {
			_, serr = conn.Write([]byte{1})
		}
		s = conn.ConnectionState()
	}()
	conn := tls.Client(cc, client)
	// In TLS 1.3 a client hears of a refused certificate at its first read.
	if cerr = conn.Handshake(); cerr == nil {
		_, cerr = conn.Read(make([]byte, 1))
	}
	c = conn.ConnectionState()
	cc.Close()
	<-done
	return c, s, cerr, serr
}

// TestJoinAndTalk is the whole way: token, join, master and agent each proved.
func TestJoinAndTalk(t *testing.T) {
	a := newAuthority(t)
	dir := filepath.Join(t.TempDir(), "agent")
	key, err := LoadKey(dir)
	must(t, key, err)
	tok := newToken(t, a, RoleNode)

	_, srv, cerr, serr := shake(t, JoinTLS(tok, key), a.ServerTLS())
	if cerr != nil || serr != nil {
		t.Fatalf("the join's handshake: %v, %v", cerr, serr)
	}
	if _, err := a.Identify(srv); !errors.Is(err, ErrWrongRack) {
		t.Errorf("one who joins is nobody yet, got %v", err)
	}
	pub, err := PeerKey(srv)
	must(t, pub, err)
	if string(pub) != string(public(t, key)) {
		t.Error("the connection proves another key")
	}
	cert, ca, err := a.Admit(0, boot, tok.Secret[:], "web1", pub)
	must(t, cert, err)
	id, err := NewIdentity(tok, key, cert, ca)
	must(t, id, err)
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
	id, err = LoadIdentity(dir)
	must(t, id, err)
	if id.Name() != "web1" || id.Role() != RoleNode {
		t.Errorf("joined as %s %s", id.Role(), id.Name())
	}

	cli, srv, cerr, serr := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
	if cerr != nil || serr != nil {
		t.Fatalf("the agent's handshake: %v, %v", cerr, serr)
	}
	if srv.Version != tls.VersionTLS13 || srv.DidResume || srv.NegotiatedProtocol != "h2" {
		t.Errorf("version %x, resumed %v, protocol %q", srv.Version, srv.DidResume, srv.NegotiatedProtocol)
	}
	p, err := a.Identify(srv)
	if want := (Peer{"web1", RoleNode, fingerprint(pub)}); err != nil || p != want {
		t.Errorf("the master sees %+v, %v; want %+v", p, err, want)
	}
	p, err = id.Identify(cli, Removed{})
	if err != nil || p.Name != "rack1" || p.Role != RoleMaster {
		t.Errorf("the agent sees %+v, %v", p, err)
	}

	// The other way round: the master asks the agent.
	_, srv, cerr, serr = shake(t, DialTLS(a.Identity(), RoleNode.ServerName()), ServeTLS(id))
	if cerr != nil || serr != nil {
		t.Fatalf("the master's handshake with an agent: %v, %v", cerr, serr)
	}
	if p, err = id.Identify(srv, Removed{}); err != nil || p.Role != RoleMaster {
		t.Errorf("the agent sees %+v, %v", p, err)
	}
	// And the master itself, as `upsctl` on its host: known without an entry.
	_, srv, _, _ = shake(t, DialTLS(a.Identity(), RoleMaster.ServerName()), a.ServerTLS())
	if p, err = a.Identify(srv); err != nil || p.Role != RoleMaster {
		t.Errorf("the master sees itself as %+v, %v", p, err)
	}
}

func TestRolesByToken(t *testing.T) {
	a := newAuthority(t)
	for name, role := range map[string]Role{"web1": RoleNode, "ann": RoleOperator, "bob": RoleViewer} {
		id := join(t, a, name, role)
		_, srv, cerr, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
		if p, err := a.Identify(srv); cerr != nil || err != nil || p.Name != name || p.Role != role {
			t.Errorf("%s is %+v, %v, %v", name, p, err, cerr)
		}
	}
	var names []string
	for _, m := range a.Members() {
		names = append(names, m.Name)
	}
	if len(names) != 3 || names[0] != "ann" || names[1] != "bob" || names[2] != "web1" {
		t.Errorf("the roster is %v", names)
	}
	for _, role := range []Role{RoleNone, RoleMaster, 99} {
		if _, err := a.CreateToken(0, boot, TokenOptions{Role: role}); err == nil {
			t.Errorf("a token for role %v was made", role)
		}
	}
}

func TestRoleNames(t *testing.T) {
	for s, want := range map[string]Role{"agent": RoleNode, "node": RoleNode, "operator": RoleOperator, "viewer": RoleViewer} {
		if got, err := ParseRole(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"master", "none", "", "root"} {
		if got, err := ParseRole(s); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
	if RoleMaster.ServerName() != "master.lastwatt" || RoleNode.ServerName() != "node.lastwatt" {
		t.Error("the names in certificates changed: every rack would have to join anew")
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "web-1.example_x": true, "0": true,
		"": false, ".a": false, "-a": false, "a b": false, "a/b": false, "a\n": false, "ä": false, "\x1b[31m": false,
		"123456789012345678901234567890123456789012345678901234567890123":  true,
		"1234567890123456789012345678901234567890123456789012345678901234": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v, want ok %v", name, err, ok)
		}
	}
	if _, err := OpenAuthority(t.TempDir(), "rack 1"); !errors.Is(err, ErrBadName) {
		t.Errorf("a rack with a bad name: %v", err)
	}
}

// TestLaw01NoClockInTrust: certificates never end, and no end of a connection asks
// the clock: every tls.Config carries its own time.
func TestLaw01NoClockInTrust(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	for _, c := range []*x509.Certificate{a.ca, a.id.Certificate.Leaf, id.Certificate.Leaf} {
		if !c.NotBefore.Equal(time.Unix(0, 0)) || c.NotAfter.UTC().Format(time.RFC3339) != "9999-12-31T23:59:59Z" {
			t.Errorf("%s is good from %v to %v", c.Subject, c.NotBefore, c.NotAfter)
		}
	}
	for name, c := range map[string]*tls.Config{
		"the master's listener": a.ServerTLS(), "an agent's listener": ServeTLS(id),
		"a client": DialTLS(id, "x"), "one who joins": JoinTLS(Token{}, newKey(t)),
	} {
		if c.Time == nil || !c.Time().Equal(fixedTime()) {
			t.Errorf("%s asks the clock", name)
		}
		if c.MinVersion != tls.VersionTLS13 || !c.SessionTicketsDisabled {
			t.Errorf("%s: TLS %x, tickets off %v", name, c.MinVersion, c.SessionTicketsDisabled)
		}
	}
}

// TestLaw01DatesInCertificates: one that ended long ago by this machine's clock is
// as good as it was, because no clock is asked.
func TestLaw01DatesInCertificates(t *testing.T) {
	a := newAuthority(t)
	tmpl := template("web1")
	tmpl.DNSNames = []string{RoleNode.ServerName()}
	tmpl.NotBefore, tmpl.NotAfter = fixedTime().Add(-time.Hour), fixedTime().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.ca, newKey(t).Public(), a.key)
	must(t, der, err)
	cert, err := x509.ParseCertificate(der)
	must(t, cert, err)
	if _, err := verify(a.ca, []*x509.Certificate{cert}); err != nil {
		t.Error(err)
	}
}

func TestTokenTTL(t *testing.T) {
	a := newAuthority(t)
	for _, tt := range []struct {
		name string
		ttl  time.Duration
		at   power.Uptime
		boot string
		want error
	}{
		{"at once", 0, 0, boot, nil},
		{"just before 15 minutes", 0, power.Uptime(15*time.Minute - 1), boot, nil},
		{"at 15 minutes", 0, power.Uptime(15 * time.Minute), boot, ErrTokenEnded},
		{"its own time", time.Hour, power.Uptime(time.Hour - 1), boot, nil},
		{"after its own time", time.Second, power.Uptime(time.Second), boot, ErrTokenEnded},
		{"another boot", 0, 0, "boot-2", ErrTokenEnded},
	} {
		s, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode, TTL: tt.ttl})
		must(t, s, err)
		tok, err := ParseToken(s)
		must(t, tok, err)
		name := "n" + tok.String()[70:] // each its own
		_, _, err = a.Admit(tt.at, tt.boot, tok.Secret[:], name, public(t, newKey(t)))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, ttl := range []time.Duration{-1, time.Millisecond, 25 * time.Hour} {
		if _, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode, TTL: ttl}); err == nil {
			t.Errorf("a token for %v was made", ttl)
		}
	}
}
