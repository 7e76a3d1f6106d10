package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// asMember makes an identity that was never admitted, signed by a's CA.
func asMember(t *testing.T, a *Authority, name string, role Role) Identity {
	t.Helper()
	key := newKey(t)
	der, err := issue(a.ca, a.key, key.Public().(ed25519.PublicKey), name, role)
	must(t, der, err)
	cert, err := x509.ParseCertificate(der)
	must(t, cert, err)
	return newIdentity(bundle{key: key, cert: cert, ca: a.ca})
}

// TestRogueMaster: nobody but the rack's master is believed by an agent, nor by
// one who joins.
func TestRogueMaster(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	web1, web2 := join(t, a, "web1", RoleNode), join(t, a, "web2", RoleNode)
	tok := newToken(t, a, RoleNode)
	key := newKey(t)

	selfSigned, err := selfSign(key, "rack1", false)
	must(t, selfSigned, err)
	serve := func(certs [][]byte, key any) *tls.Config {
		c := baseTLS()
		c.Certificates = []tls.Certificate{{Certificate: certs, PrivateKey: key}}
		c.ClientAuth = tls.RequireAnyClientCert
		return c
	}
	rogues := map[string]*tls.Config{
		"another rack's master":                     other.ServerTLS(),
		"another rack's master with our CA behind":  serve([][]byte{other.id.Certificate.Certificate[0], a.ca.Raw}, other.id.Certificate.PrivateKey),
		"self-signed":                               serve([][]byte{selfSigned}, key),
		"self-signed with our CA behind":            serve([][]byte{selfSigned, a.ca.Raw}, key),
		"an agent of the rack":                      ServeTLS(web2),
		"an agent of the rack that lets anybody in": serve(web2.Certificate.Certificate, web2.Certificate.PrivateKey),
		"an agent that shows the master's":          serve(a.id.Certificate.Certificate, web2.Certificate.PrivateKey),
		"an operator of the rack":                   ServeTLS(join(t, a, "ann", RoleOperator)),
		"the master, but in TLS 1.2": func() *tls.Config {
			c := a.ServerTLS()
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return c
		}(),
		"a chain that begins with the CA's own": serve([][]byte{a.ca.Raw}, key),
		"nobody":                                {MinVersion: tls.VersionTLS13},
	}
	for name, server := range rogues {
		if _, _, cerr, _ := shake(t, DialTLS(web1, RoleMaster.ServerName()), server); cerr == nil {
			t.Errorf("an agent believed: %s", name)
		}
		if _, _, cerr, _ := shake(t, JoinTLS(tok, key), server); cerr == nil {
			t.Errorf("one who joins believed: %s", name)
		}
	}
	// The same clients believe the right one.
	if _, _, cerr, serr := shake(t, JoinTLS(tok, key), a.ServerTLS()); cerr != nil || serr != nil {
		t.Errorf("the rack's own master was refused: %v, %v", cerr, serr)
	}
	_, _, cerr, _ := shake(t, JoinTLS(newToken(t, other, RoleNode), key), a.ServerTLS())
	if !errors.Is(cerr, ErrWrongRack) {
		t.Errorf("a token of another rack: %v", cerr)
	}
}

// TestRogueClient: who isn't on the roster under that name, role and key is nobody.
func TestRogueClient(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	join(t, a, "web1", RoleNode)
	key := newKey(t)
	self, err := selfSign(key, "web1", false)
	must(t, self, err)
	selfCert, err := x509.ParseCertificate(self)
	must(t, selfCert, err)
	// The roster knows this key under this name, but as a node.
	promoted := join(t, a, "web3", RoleNode)
	der, err := issue(a.ca, a.key, promoted.Certificate.Leaf.PublicKey.(ed25519.PublicKey), "web3", RoleOperator)
	must(t, der, err)
	promoted.Certificate = tls.Certificate{Certificate: [][]byte{der, a.ca.Raw}, PrivateKey: promoted.Certificate.PrivateKey}
	twoRoles := func() Identity {
		id := asMember(t, a, "web1", RoleNode)
		k := newKey(t)
		tmpl := template("web1")
		tmpl.DNSNames = []string{RoleNode.ServerName(), RoleMaster.ServerName()}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, a.ca, k.Public(), a.key)
		must(t, der, err)
		id.Certificate.Certificate[0], id.Certificate.PrivateKey = der, k
		return id
	}()
	for _, tt := range []struct {
		name string
		id   Identity
		want error
	}{
		{"another rack's node of the same name", join(t, other, "web1", RoleNode), ErrWrongRack},
		{"another rack's master", other.Identity(), ErrWrongRack},
		{"self-signed", newIdentity(bundle{key: key, cert: selfCert, ca: a.ca}), ErrWrongRack},
		{"of the CA, never admitted", asMember(t, a, "web9", RoleNode), ErrNotAdmitted},
		{"of the CA, with another's name", asMember(t, a, "web1", RoleNode), ErrNotAdmitted},
		{"of the CA, an old master", asMember(t, a, "rack1", RoleMaster), ErrNotAdmitted},
		{"of the CA, with a name for terminals", asMember(t, a, "web\x1b[2J", RoleNode), ErrBadName},
		{"of the CA, in a role it was not admitted for", promoted, ErrNotAdmitted},
		{"of the CA, with two roles", twoRoles, ErrWrongRole},
	} {
		c := DialTLS(tt.id, RoleMaster.ServerName())
		c.RootCAs = pool(a.ca)
		_, srv, cerr, serr := shake(t, c, a.ServerTLS())
		if cerr != nil || serr != nil {
			t.Errorf("%s: the handshake asks for a key and no more, got %v, %v", tt.name, cerr, serr)
			continue
		}
		if p, err := a.Identify(srv); !errors.Is(err, tt.want) || p != (Peer{}) {
			t.Errorf("%s: identified as %+v, %v; want %v", tt.name, p, err, tt.want)
		}
	}
	if _, err := a.Identify(tls.ConnectionState{}); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := PeerKey(tls.ConnectionState{}); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("no certificate: %v", err)
	}
}

// TestClientsWithoutAKey: the handshake itself wants an ed25519 key, and an agent's
// listener a member of the rack.
func TestClientsWithoutAKey(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	none := baseTLS()
	none.InsecureSkipVerify = true
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, ec, err)
	der, err := x509.CreateCertificate(rand.Reader, template("x"), template("x"), ec.Public(), ec)
	must(t, der, err)
	nist := none.Clone()
	nist.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: ec}}
	stolen := none.Clone()
	stolen.Certificates = []tls.Certificate{{Certificate: web1.Certificate.Certificate, PrivateKey: newKey(t)}}
	foreign := DialTLS(join(t, other, "web1", RoleNode), "x")
	foreign.InsecureSkipVerify = true

	for name, c := range map[string]*tls.Config{"without a certificate": none, "with another kind of key": nist, "with a member's certificate and no key": stolen} {
		if _, _, _, serr := shake(t, c, a.ServerTLS()); serr == nil {
			t.Errorf("the master let in a client %s", name)
		}
		if _, _, _, serr := shake(t, c, ServeTLS(web1)); serr == nil {
			t.Errorf("an agent let in a client %s", name)
		}
	}
	if _, _, _, serr := shake(t, foreign, ServeTLS(web1)); serr == nil {
		t.Error("an agent let in a member of another rack")
	}
	old := none.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	old.Certificates = []tls.Certificate{web1.Certificate}
	if _, _, _, serr := shake(t, old, a.ServerTLS()); serr == nil {
		t.Error("the master let in TLS 1.2")
	}
}

// TestTokenReuse: one token, one key, one name.
func TestTokenReuse(t *testing.T) {
	a := newAuthority(t)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	first, ca, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key))
	must(t, first, err)

	again, ca2, err := a.Admit(power.Uptime(time.Minute), boot, tok.Secret[:], "web1", public(t, key))
	if err != nil || !bytes.Equal(first, again) || !bytes.Equal(ca, ca2) {
		t.Errorf("the same key asks again and gets another answer: %v", err)
	}
	for _, tt := range []struct {
		name   string
		secret []byte
		member string
		key    ed25519.PrivateKey
		at     time.Duration
		want   error
	}{
		{"another key", tok.Secret[:], "web1", newKey(t), 0, ErrTokenUsed},
		{"another key and name", tok.Secret[:], "web2", newKey(t), 0, ErrTokenUsed},
		{"another name", tok.Secret[:], "web2", key, 0, ErrTokenUsed},
		{"the same, too late", tok.Secret[:], "web1", key, time.Hour, ErrTokenEnded},
		{"a guess", make([]byte, SecretSize), "web2", newKey(t), 0, ErrTokenUnknown},
		{"an empty guess", nil, "web2", newKey(t), 0, ErrTokenUnknown},
		{"a part of it", tok.Secret[:15], "web2", newKey(t), 0, ErrTokenUnknown},
		{"another rack's", func() []byte { x := newToken(t, newAuthority(t), RoleNode); return x.Secret[:] }(), "web2", newKey(t), 0, ErrTokenUnknown},
		{"a name on the roster, by a new token", func() []byte { x := newToken(t, a, RoleNode); return x.Secret[:] }(), "web1", newKey(t), 0, ErrNameTaken},
		{"the same key as operator", func() []byte { x := newToken(t, a, RoleOperator); return x.Secret[:] }(), "web1", key, 0, ErrNameTaken},
		{"a bad name", func() []byte { x := newToken(t, a, RoleNode); return x.Secret[:] }(), "web 2", newKey(t), 0, ErrBadName},
	} {
		if _, _, err := a.Admit(power.Uptime(tt.at), boot, tt.secret, tt.member, public(t, tt.key)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if n := len(a.Members()); n != 1 {
		t.Errorf("%d members after all that, want 1", n)
	}
	// A machine that lost its identity but not its key comes back by a new token.
	back, _, err := a.Admit(0, boot, func() []byte { x := newToken(t, a, RoleNode); return x.Secret[:] }(), "web1", public(t, key))
	if err != nil || !bytes.Equal(back, first) {
		t.Errorf("the same key with a new token: %v", err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, ecKey, err)
	ecPub, err := x509.MarshalPKIXPublicKey(ecKey.Public())
	must(t, ecPub, err)
	for name, pub := range map[string][]byte{"none": nil, "junk": []byte("junk"), "another kind": ecPub} {
		x := newToken(t, a, RoleNode)
		if _, _, err := a.Admit(0, boot, x.Secret[:], "web3", pub); err == nil {
			t.Errorf("a key that is %s was admitted", name)
		}
	}
}

// TestTokenRace: of many keys that come with one token at once, one wins.
func TestTokenRace(t *testing.T) {
	a := newAuthority(t)
	tok := newToken(t, a, RoleNode)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		pub := public(t, newKey(t))
		wg.Go(func() {
			_, _, err := a.Admit(0, boot, tok.Secret[:], "web1", pub)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrTokenUsed):
				t.Errorf("the loser hears %v", err)
			}
			a.Members()
		})
	}
	wg.Wait()
	if won.Load() != 1 || len(a.Members()) != 1 {
		t.Errorf("%d won, %d are on the roster; want 1 and 1", won.Load(), len(a.Members()))
	}
	b, err := OpenAuthority(a.dir, "rack1")
	must(t, b, err)
	if len(b.Members()) != 1 {
		t.Errorf("%d are on disk", len(b.Members()))
	}
}

// TestWrongAnswer: a joining machine does not keep what is not for it.
func TestWrongAnswer(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	cert, ca, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key))
	must(t, cert, err)
	for name, try := range map[string]func() error{
		"another CA": func() error { _, err := NewIdentity(tok, key, cert, other.ca.Raw); return err },
		"another rack's whole answer": func() error {
			c, err := issue(other.ca, other.key, key.Public().(ed25519.PublicKey), "web1", RoleNode)
			must(t, c, err)
			_, err = NewIdentity(tok, key, c, other.ca.Raw)
			return err
		},
		"another key":       func() error { _, err := NewIdentity(tok, newKey(t), cert, ca); return err },
		"no certificate":    func() error { _, err := NewIdentity(tok, key, nil, ca); return err },
		"the CA as its own": func() error { _, err := NewIdentity(tok, key, ca, ca); return err },
		"a foreign certificate": func() error {
			c, err := issue(other.ca, other.key, key.Public().(ed25519.PublicKey), "web1", RoleNode)
			must(t, c, err)
			_, err = NewIdentity(tok, key, c, ca)
			return err
		},
		"saving nobody": func() error { return Identity{}.Save(filepath.Join(t.TempDir(), "x")) },
	} {
		if try() == nil {
			t.Errorf("accepted: %s", name)
		}
	}
	if _, err := (Identity{}).Identify(tls.ConnectionState{}, Removed{}); !errors.Is(err, ErrNotJoined) {
		t.Errorf("nobody identifies somebody: %v", err)
	}
}
