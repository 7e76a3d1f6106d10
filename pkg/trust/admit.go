package trust

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// The reasons why nobody is admitted. Their text says what to do.
var (
	ErrTokenUnknown = errors.New("this master knows no such token, or it has ended; ask for a new one: upsctl token create")
	ErrTokenEnded   = errors.New("the token has ended; ask for a new one: upsctl token create")
	ErrTokenUsed    = errors.New("the token was used by another key; ask for a new one: upsctl token create")
	ErrTokenName    = errors.New("the token is for a member of another name")
	ErrNameTaken    = errors.New("the name is on the roster with another key; choose another name, or, for a machine set up anew: upsctl token create --replace NAME")
	ErrKeyTaken     = errors.New("the key is on the roster under another name (a renamed machine, or a copied disk); run `upsagent leave`, then join with a new token")
	ErrTooMany      = errors.New("there are too many tokens nobody has used; wait until some end")
	ErrBusy         = errors.New("the master's disk does not answer; look at it and try again")
	ErrRetired      = errors.New("the master is taking over another CA; try again")
)

// Admit puts the key pub (PKIX DER) on the roster as name, by a token's secret,
// and returns its certificate and the CA's, DER, when that is on disk. The caller
// has made sure that the peer holds the key ([PeerKey]). The first key to come
// binds the token; the same key and name get the same answer as long as the token
// lasts, so that a lost answer can be asked for again. By a token that replaces a
// member, the new key takes the member's place and the old one is removed, in one
// step. [ErrNameTaken] is a second claimant: somebody holds a token and wants a
// name that another key has.
func (a *Authority) Admit(now power.Uptime, boot string, secret []byte, name string, pub []byte) (cert, ca []byte, err error) {
	key, err := parsePublic(pub)
	if err == nil {
		err = CheckName(name)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot admit: %w", err)
	}
	hash := sha256.Sum256(secret)
	err = a.change(func(r *roster) (*roster, error) {
		// Comparing hashes tells nobody's clock anything about the secret.
		i := slices.IndexFunc(r.Tokens, func(t tokenRecord) bool { return bytes.Equal(t.Hash, hash[:]) })
		if i < 0 {
			return nil, ErrTokenUnknown
		}
		t, fp := r.Tokens[i], fingerprint(pub)
		if t.ended(now, boot) {
			return nil, ErrTokenEnded
		}
		known, err := a.place(r, t, name, fp)
		switch {
		case err != nil:
			return nil, err
		case known.Fingerprint == fp:
			cert = known.Certificate
		default:
			if cert, err = issue(a.ca, a.key, key, name, t.Role); err != nil {
				return nil, err
			}
		}
		if t.Fingerprint != "" && known.Fingerprint == fp {
			return nil, nil // asked again: nothing changes
		}
		next := r.copy()
		next.prune(now, boot)
		if known.Fingerprint != "" && known.Fingerprint != fp {
			next.cut(known.Fingerprint)
		}
		next.setMember(Member{Name: name, Role: t.Role, Fingerprint: fp, Certificate: cert})
		t.Name, t.Fingerprint = name, fp
		next.setToken(t)
		return next, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot admit %s: %w", name, err)
	}
	return cert, a.ca.Raw, nil
}

// place says whether a token gives the key fp the name: the member that has that
// name now (none: the zero one), whose place the key takes, or why not.
func (a *Authority) place(r *roster, t tokenRecord, name, fp string) (Member, error) {
	known, taken := r.member(name)
	owner, owned := r.owner(fp)
	same := taken && known.Fingerprint == fp && known.Role == t.Role
	switch {
	case r.removed(fp) || a.cut.Load().Has(fp):
		return Member{}, ErrRemoved
	case t.Fingerprint != "" && (t.Fingerprint != fp || t.Name != name):
		return Member{}, ErrTokenUsed
	case t.Replaces != "" && t.Replaces != name:
		return Member{}, fmt.Errorf("%w: %s", ErrTokenName, t.Replaces)
	case same:
		return known, nil
	case t.Replaces != "" && known.Fingerprint != t.Old:
		return Member{}, ErrTokenEnded // another key took the place first
	case t.Replaces == "" && taken:
		return Member{}, ErrNameTaken
	case owned && owner.Name != name:
		return Member{}, ErrKeyTaken
	}
	return known, nil
}
