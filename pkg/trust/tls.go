package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// baseTLS is what all connections share: TLS 1.3 only, no clock, no session
// tickets (a resumed session would outlive a removal from the roster).
func baseTLS() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Time:                   fixedTime,
		SessionTicketsDisabled: true,
	}
}

func pool(ca *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca)
	return p
}

// ServerTLS returns the settings of the master's listener. A client must prove
// that it holds some ed25519 key; who it is, is not asked in the handshake,
// because one who joins has no more than a key. Identify tells the rest.
func (a *Authority) ServerTLS() *tls.Config {
	c := baseTLS()
	c.Certificates = []tls.Certificate{a.Identity().Certificate}
	c.ClientAuth = tls.RequireAnyClientCert
	c.VerifyConnection = onlyEd25519
	return c
}

func onlyEd25519(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return ErrNoCertificate
	}
	if _, ok := cs.PeerCertificates[0].PublicKey.(ed25519.PublicKey); !ok {
		return fmt.Errorf("%w: its key is not ed25519", ErrWrongRack)
	}
	return nil
}

// ServeTLS returns the settings of an agent's listener: only members of the rack
// come in, and Identify tells who.
func ServeTLS(id Identity) *tls.Config {
	c := baseTLS()
	c.Certificates = []tls.Certificate{id.Certificate}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = pool(id.CA)
	return c
}

// DialTLS returns the settings of a client that will talk to nobody but a member
// of its own rack in the role of serverName (see [Role.ServerName]).
func DialTLS(id Identity, serverName string) *tls.Config {
	c := baseTLS()
	c.Certificates = []tls.Certificate{id.Certificate}
	c.RootCAs = pool(id.CA)
	c.ServerName = serverName
	return c
}

// JoinTLS returns the settings of one who joins: it proves key by a certificate
// of its own making, and talks to nobody but the master whose CA the token names.
func JoinTLS(tok Token, key ed25519.PrivateKey) *tls.Config {
	c := baseTLS()
	c.ServerName = RoleMaster.ServerName()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		der, err := selfSign(key, "joining", false)
		if err != nil {
			return nil, err
		}
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}
	// Go's own verification wants to know the CA beforehand; the token knows only
	// its fingerprint. VerifyConnection does all of it, and runs always.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(cs tls.ConnectionState) error { return tok.check(cs.PeerCertificates) }
	return c
}

// check says whether a server's chain is the master of the token's rack.
func (t Token) check(certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return ErrNoCertificate
	}
	ca := certs[len(certs)-1]
	if sha256.Sum256(ca.Raw) != t.CA {
		return fmt.Errorf("%w that the token is for; ask for a token of this master, or name the other one's address", ErrWrongRack)
	}
	peer, err := verify(ca, certs)
	if err != nil {
		return err
	}
	if peer.Role != RoleMaster {
		return fmt.Errorf("%w: it is %s, %s, and not the master", ErrWrongRole, peer.Name, peer.Role)
	}
	return nil
}
