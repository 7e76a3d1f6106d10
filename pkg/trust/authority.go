package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Authority is a rack's CA, the master's own identity, and the roster.
type Authority struct {
	dir   string
	ca    *x509.Certificate
	key   ed25519.PrivateKey
	id    Identity
	state atomic.Pointer[roster]  // what holds; never changed in place, on disk before it is here
	cut   atomic.Pointer[Removed] // keys cut off in this run: they hold even when the disk fails
	turn  chan struct{}           // size one: who holds its token may change the roster

	retired bool // another Authority took over the folder; who holds the turn may look
}

// The files of the master's folder.
const (
	caFile     = "ca.pem"     // the rack's key and certificate
	masterFile = "master.pem" // the master's key and certificate
	rosterFile = "roster.json"
)

// turnLimit is how long a change waits for the one before it. A disk that takes
// longer hangs, and piling up callers behind it helps nobody.
const turnLimit = 5 * time.Second

// OpenAuthority opens the rack's CA in dir, and makes it at the first start. rack
// is the master's name; it may change without anybody having to join anew.
func OpenAuthority(dir, rack string) (*Authority, error) {
	a := &Authority{dir: dir, turn: make(chan struct{}, 1)}
	a.cut.Store(&Removed{})
	err := CheckName(rack)
	if err == nil {
		err = secureDir(dir)
	}
	if err == nil {
		err = a.open(rack)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the rack's CA: %w", err)
	}
	return a, nil
}

// open reads or makes the files. The CA is made before the roster, which it
// signs; a CA that has no roster beside it is either that moment's crash or a
// lost roster, and only the master's certificate, made last, tells which.
func (a *Authority) open(rack string) error {
	own, ownErr := loadBundle(a.path(masterFile), 1)
	if ownErr != nil && !missing(ownErr) {
		return ownErr
	}
	first := missing(ownErr)
	if err := a.openCA(rack, first); err != nil {
		return err
	}
	if err := a.openRoster(first); err != nil {
		return err
	}
	return a.openMaster(own, rack)
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *Authority) openCA(rack string, first bool) error {
	b, err := loadBundle(a.path(caFile), 1)
	if missing(err) && first {
		if _, rosterErr := readSecret(a.path(rosterFile)); !missing(rosterErr) {
			return fmt.Errorf("%s is missing beside %s; restore it from a backup (without it every node has to join anew)", a.path(caFile), rosterFile)
		}
		b, err = newCA(rack)
		if err == nil {
			err = b.save(a.path(caFile))
		}
	}
	if missing(err) {
		return fmt.Errorf("%s is missing beside %s; restore it from a backup (without it every node has to join anew)", a.path(caFile), masterFile)
	}
	if err != nil {
		return err
	}
	// It says no, too, where a certificate may not sign (RFC 5280 §4.2.1.9).
	if b.cert.CheckSignatureFrom(b.cert) != nil {
		return corrupt(a.path(caFile))
	}
	a.ca, a.key = b.cert, b.key
	return nil
}

func newCA(rack string) (bundle, error) {
	key, err := NewKey()
	if err != nil {
		return bundle{}, err
	}
	der, err := selfSign(key, rack+" CA", true)
	if err != nil {
		return bundle{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return bundle{key: key, cert: cert}, err
}

func (a *Authority) openRoster(first bool) error {
	r, err := loadRoster(a.path(rosterFile), a.key.Public().(ed25519.PublicKey))
	if missing(err) && first {
		r = &roster{}
		err = saveRoster(a.path(rosterFile), r, a.key)
	}
	if missing(err) {
		return fmt.Errorf("%s is missing; restore it from a backup (without it no node is known)", a.path(rosterFile))
	}
	if err != nil {
		return err
	}
	a.state.Store(r)
	return nil
}

// openMaster takes the master's own certificate, or issues one: at the first
// start, and for the same key when the master's name has changed.
func (a *Authority) openMaster(b bundle, rack string) error {
	if b.cert != nil {
		p, err := verify(a.ca, []*x509.Certificate{b.cert})
		if err != nil || p.Role != RoleMaster {
			return fmt.Errorf("cannot use %s: it is not of the CA beside it; restore both from the same backup", a.path(masterFile))
		}
		if p.Name == rack {
			a.id = newIdentity(bundle{key: b.key, cert: b.cert, ca: a.ca})
			return nil
		}
	}
	if b.key == nil {
		key, err := NewKey()
		if err != nil {
			return err
		}
		b.key = key
	}
	der, err := issue(a.ca, a.key, b.key.Public().(ed25519.PublicKey), rack, RoleMaster)
	if err != nil {
		return err
	}
	if b.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.id = newIdentity(bundle{key: b.key, cert: b.cert, ca: a.ca})
	return b.save(a.path(masterFile))
}

// Identity returns the master's own identity.
func (a *Authority) Identity() Identity { return a.id }

// CA returns the CA's fingerprint, SHA-256 of its certificate, as tokens carry it.
func (a *Authority) CA() [sha256.Size]byte { return sha256.Sum256(a.ca.Raw) }

// Members returns the roster, by name.
func (a *Authority) Members() []Member {
	return append([]Member(nil), a.state.Load().Members...)
}

// Identify says who is at the other end of a connection: the certificate is of
// this rack's CA, and the roster has that key under that name in that role. The
// master itself needs no entry.
func (a *Authority) Identify(cs tls.ConnectionState) (Peer, error) {
	p, err := verify(a.ca, cs.PeerCertificates)
	if err != nil {
		return Peer{}, err
	}
	if p.Role == RoleMaster {
		if p.Fingerprint != fingerprint(a.id.Certificate.Leaf.RawSubjectPublicKeyInfo) {
			return Peer{}, fmt.Errorf("%w: it claims to be the master", ErrNotAdmitted)
		}
		return p, nil
	}
	r := a.state.Load()
	if r.removed(p.Fingerprint) || a.cut.Load().Has(p.Fingerprint) {
		return Peer{}, fmt.Errorf("%w: it claims to be %s", ErrRemoved, p.Name)
	}
	m, ok := r.member(p.Name)
	if !ok || m.Fingerprint != p.Fingerprint || m.Role != p.Role {
		return Peer{}, fmt.Errorf("%w: it claims to be %s", ErrNotAdmitted, p.Name)
	}
	return p, nil
}
