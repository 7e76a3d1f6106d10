package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
)

// Identity is who this machine is in its rack: a key, the certificate that the
// rack's CA gave for it, and that CA. The zero value is nobody.
type Identity struct {
	Certificate tls.Certificate // leaf first, then the CA
	CA          *x509.Certificate
}

// ErrNotJoined is the error of LoadIdentity where there is no identity yet.
var ErrNotJoined = errors.New("not joined to a rack")

// The files of an agent's or operator's folder.
const (
	keyFile      = "key.pem"      // the key, from before it is admitted
	identityFile = "identity.pem" // key, certificate, CA
)

// NewIdentity makes an identity of a master's answer to Join, after checking that
// it is for this key and of the token's rack.
func NewIdentity(tok Token, key ed25519.PrivateKey, cert, ca []byte) (Identity, error) {
	if sha256.Sum256(ca) != tok.CA {
		return Identity{}, fmt.Errorf("cannot use the master's answer: %w that the token is for", ErrWrongRack)
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return Identity{}, fmt.Errorf("cannot read the master's answer: %w", err)
	}
	root, err := x509.ParseCertificate(ca)
	if err != nil {
		return Identity{}, fmt.Errorf("cannot read the master's answer: %w", err)
	}
	if pub, ok := c.PublicKey.(ed25519.PublicKey); !ok || !pub.Equal(key.Public()) {
		return Identity{}, errors.New("cannot use the master's answer: it is for another key; join again")
	}
	if _, err := verify(root, []*x509.Certificate{c}); err != nil {
		return Identity{}, fmt.Errorf("cannot use the master's answer: %w", err)
	}
	return newIdentity(bundle{key: key, cert: c, ca: root}), nil
}

func newIdentity(b bundle) Identity {
	return Identity{
		Certificate: tls.Certificate{Certificate: [][]byte{b.cert.Raw, b.ca.Raw}, PrivateKey: b.key, Leaf: b.cert},
		CA:          b.ca,
	}
}

// Name returns the name under which this identity was admitted; "" for nobody.
func (id Identity) Name() string {
	if id.Certificate.Leaf == nil {
		return ""
	}
	return id.Certificate.Leaf.Subject.CommonName
}

// Role returns the role in which this identity was admitted.
func (id Identity) Role() Role {
	if id.Certificate.Leaf == nil {
		return RoleNone
	}
	return roleOf(id.Certificate.Leaf)
}

// Fingerprint returns the fingerprint of this identity's key; "" for nobody.
func (id Identity) Fingerprint() string {
	if id.Certificate.Leaf == nil {
		return ""
	}
	return fingerprint(id.Certificate.Leaf.RawSubjectPublicKeyInfo)
}

// Save writes the identity into dir, mode 0600, wholly or not at all.
func (id Identity) Save(dir string) error {
	key, ok := id.Certificate.PrivateKey.(ed25519.PrivateKey)
	if !ok || id.CA == nil || id.Certificate.Leaf == nil {
		return fmt.Errorf("cannot save the identity: %w", ErrNotJoined)
	}
	err := secureDir(dir)
	if err == nil {
		err = bundle{key: key, cert: id.Certificate.Leaf, ca: id.CA}.save(filepath.Join(dir, identityFile))
	}
	if err != nil {
		return fmt.Errorf("cannot save the identity: %w", err)
	}
	return nil
}

// LoadIdentity reads what Save wrote. Where there is nothing the error is
// [ErrNotJoined]; what is there and can't be believed is another error, because
// joining anew would hide it.
func LoadIdentity(dir string) (Identity, error) {
	path := filepath.Join(dir, identityFile)
	b, err := loadBundle(path, 2)
	if missing(err) {
		return Identity{}, ErrNotJoined
	}
	if err == nil {
		_, err = verify(b.ca, []*x509.Certificate{b.cert})
	}
	if err != nil {
		return Identity{}, fmt.Errorf("cannot load the identity: %w (or delete %s and join anew)", err, path)
	}
	return newIdentity(b), nil
}

// LoadKey returns the key in dir, which it makes at the first call. It is on disk
// before it is shown to anybody: a machine that dies in the middle of joining
// comes back with the same key, and the same token still lets it in.
func LoadKey(dir string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, keyFile)
	if err := secureDir(dir); err != nil {
		return nil, fmt.Errorf("cannot load the key: %w", err)
	}
	b, err := loadBundle(path, 0)
	if missing(err) {
		if b.key, err = NewKey(); err == nil {
			err = b.save(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot load the key: %w", err)
	}
	return b.key, nil
}

// Identify says who is at the other end of a connection, by the CA and the role in
// the certificate. A node has no roster; removed is what its master told it, and
// who is on it is [ErrRemoved].
func (id Identity) Identify(cs tls.ConnectionState, removed Removed) (Peer, error) {
	if id.CA == nil {
		return Peer{}, ErrNotJoined
	}
	p, err := verify(id.CA, cs.PeerCertificates)
	if err == nil && removed.Has(p.Fingerprint) {
		return Peer{}, fmt.Errorf("%w: it claims to be %s", ErrRemoved, p.Name)
	}
	return p, err
}
