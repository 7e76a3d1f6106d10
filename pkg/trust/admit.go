package trust

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// The reasons why nobody is admitted. Their text says what to do.
var (
	ErrTokenUnknown = errors.New("this master knows no such token, or it has ended; ask for a new one: upsctl token create")
	ErrTokenEnded   = errors.New("the token has ended; ask for a new one: upsctl token create")
	ErrTokenUsed    = errors.New("the token was used by another key; ask for a new one: upsctl token create")
	ErrNameTaken    = errors.New("the name is on the roster with another key; choose another name")
	ErrTooMany      = errors.New("there are too many tokens nobody has used; wait until some end")
	ErrBusy         = errors.New("the master's disk does not answer; look at it and try again")
)

// How long a token is good for.
const (
	DefaultTTL = 15 * time.Minute
	MaxTTL     = 24 * time.Hour
)

// maxTokens bounds what an operator's loop can do to the roster file.
const maxTokens = 256

// CreateToken makes a token for one key in that role, and returns its text when
// it is on disk. ttl 0 means DefaultTTL; it ends with this boot of the master at
// the latest.
func (a *Authority) CreateToken(now power.Uptime, boot string, role Role, ttl time.Duration) (string, error) {
	switch {
	case role != RoleNode && role != RoleOperator && role != RoleViewer:
		return "", fmt.Errorf("cannot create a token for role %s; name agent, operator or viewer", role)
	case ttl == 0:
		ttl = DefaultTTL
	case ttl < time.Second || ttl > MaxTTL:
		return "", fmt.Errorf("cannot create a token for %s; choose from 1s to 24h", ttl)
	}
	tok := Token{CA: a.CA()}
	rand.Read(tok.Secret[:]) // never fails (crypto/rand.Read)
	hash := sha256.Sum256(tok.Secret[:])
	err := a.change(func(r *roster) (*roster, error) {
		next := r.with(now, boot, nil, tokenRecord{Hash: hash[:], Role: role, Boot: boot, Ends: now.Add(ttl)})
		if len(next.Tokens) > maxTokens {
			return nil, ErrTooMany
		}
		return next, nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot create a token: %w", err)
	}
	return tok.String(), nil
}

// Admit puts the key pub (PKIX DER) on the roster as name, by a token's secret,
// and returns its certificate and the CA's, DER, when that is on disk. The caller
// has made sure that the peer holds the key ([PeerKey]). The first key to come
// binds the token; the same key and name get the same answer as long as the token
// lasts, so that a lost answer can be asked for again.
func (a *Authority) Admit(now power.Uptime, boot string, secret []byte, name string, pub []byte) (cert, ca []byte, err error) {
	key, err := parsePublic(pub)
	if err == nil {
		err = CheckName(name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot admit: %w", err)
	}
	hash := sha256.Sum256(secret)
	fp := fingerprint(pub)
	err = a.change(func(r *roster) (*roster, error) {
		i := slices.IndexFunc(r.Tokens, func(t tokenRecord) bool { return bytes.Equal(t.Hash, hash[:]) })
		if i < 0 {
			return nil, ErrTokenUnknown
		}
		t := r.Tokens[i]
		known, taken := r.member(name)
		same := taken && known.Fingerprint == fp && known.Role == t.Role
		switch {
		case t.ended(now, boot):
			return nil, ErrTokenEnded
		case t.Fingerprint != "" && (t.Fingerprint != fp || t.Name != name):
			return nil, ErrTokenUsed
		case taken && !same:
			return nil, ErrNameTaken
		case same:
			cert = known.Certificate
		default:
			if cert, err = issue(a.ca, a.key, key, name, t.Role); err != nil {
				return nil, err
			}
		}
		if t.Fingerprint != "" && same {
			return nil, nil // asked again: nothing changes
		}
		t.Name, t.Fingerprint = name, fp
		return r.with(now, boot, &Member{Name: name, Role: t.Role, Fingerprint: fp, Certificate: cert}, t), nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot admit %s: %w", name, err)
	}
	return cert, a.ca.Raw, nil
}
