package trust

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Certificates begin before any clock and have no end (RFC 5280 §4.1.2.5).
var (
	notBefore = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// fixedTime is the time at which every certificate is verified, so that no clock
// takes part in a decision. Any moment between the two above does.
func fixedTime() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// The reasons why a peer is not believed.
var (
	ErrNoCertificate = errors.New("the peer shows no certificate")
	ErrWrongRack     = errors.New("the peer's certificate is not of this rack")
	ErrWrongRole     = errors.New("the peer's certificate is not for this role")
	ErrNotAdmitted   = errors.New("the peer's key is not on the roster")
	ErrRemoved       = errors.New("the key was removed from this rack for good; on that machine run `upsagent leave`, then join with a new token")
)

// NewKey makes a key.
func NewKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return key, nil
}

// PublicKey returns the public half of key as PKIX DER, as Admit wants it.
func PublicKey(key ed25519.PrivateKey) ([]byte, error) {
	return x509.MarshalPKIXPublicKey(key.Public())
}

// parsePublic reads PKIX DER and accepts only ed25519.
func parsePublic(der []byte) (ed25519.PublicKey, error) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the public key: %w", err)
	}
	ed, ok := pub.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("cannot use a %T: a key must be ed25519", pub)
	}
	return ed, nil
}

// fingerprint names a key: SHA-256 of its PKIX DER, hexadecimal.
func fingerprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// issue signs a certificate that says that pub is name in that role.
func issue(ca *x509.Certificate, caKey ed25519.PrivateKey, pub ed25519.PublicKey, name string, role Role) ([]byte, error) {
	t := template(name)
	t.DNSNames = []string{role.ServerName()}
	// Both: an agent is client to the master and server of NodeService.
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, pub, caKey)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a certificate for %s: %w", name, err)
	}
	return der, nil
}

// selfSign makes the certificate of a key that nobody vouches for: a new CA's
// own, or the one by which a joining machine proves that it holds its key.
func selfSign(key ed25519.PrivateKey, name string, isCA bool) ([]byte, error) {
	t := template(name)
	if isCA {
		t.IsCA, t.MaxPathLenZero = true, true // it signs members, never another CA
		t.KeyUsage = x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign a certificate for %s: %w", name, err)
	}
	return der, nil
}

func template(name string) *x509.Certificate {
	serial := make([]byte, 16)
	rand.Read(serial) // never fails (crypto/rand.Read)
	serial[0] &= 0x7f // positive (RFC 5280 §4.1.2.2)
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// verify says who the leaf of certs is, by ca's signature alone.
func verify(ca *x509.Certificate, certs []*x509.Certificate) (Peer, error) {
	if len(certs) == 0 {
		return Peer{}, ErrNoCertificate
	}
	leaf := certs[0]
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	// No intermediates: this CA signs members and nothing else.
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   fixedTime(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrWrongRack, err)
	}
	role := roleOf(leaf)
	if role == RoleNone {
		return Peer{}, ErrWrongRole
	}
	if err := CheckName(leaf.Subject.CommonName); err != nil {
		return Peer{}, err
	}
	return Peer{Name: leaf.Subject.CommonName, Role: role, Fingerprint: fingerprint(leaf.RawSubjectPublicKeyInfo)}, nil
}

// roleOf reads the role from the one DNS name of a member's certificate.
func roleOf(c *x509.Certificate) Role {
	if len(c.DNSNames) != 1 {
		return RoleNone
	}
	name, ok := strings.CutSuffix(c.DNSNames[0], domain)
	if i := slices.Index(roleNames[:], name); ok && i > int(RoleNone) {
		return Role(i)
	}
	return RoleNone
}

// PeerKey returns the public key, PKIX DER, that the other end of a connection
// has proved to hold; who that is, it doesn't say. For Join, whose caller isn't
// anybody yet.
func PeerKey(cs tls.ConnectionState) ([]byte, error) {
	if len(cs.PeerCertificates) == 0 {
		return nil, ErrNoCertificate
	}
	return cs.PeerCertificates[0].RawSubjectPublicKeyInfo, nil
}
