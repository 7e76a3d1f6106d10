package trust

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// How long a token is good for.
const (
	DefaultTTL = 15 * time.Minute
	MaxTTL     = 24 * time.Hour
)

// maxTokens bounds what an operator's loop can do to the roster file.
const maxTokens = 256

// The errors of those who name what isn't there.
var (
	ErrNoToken  = errors.New("there is no such token; upsctl token list shows those that there are")
	ErrNoMember = errors.New("the roster has no such member; upsctl node list shows those that it has")
)

// TokenOptions says what a token is good for.
type TokenOptions struct {
	// Role is what the key is admitted for: node, operator or viewer. With Replace
	// it may be left RoleNone.
	Role Role
	// TTL is how long the token is good for, 1s to 24h; 0 means DefaultTTL.
	TTL time.Duration
	// Replace is the member whose place the key takes, with its name and role, as
	// for a machine set up anew; "" admits a new member.
	Replace string
}

// TokenInfo is what may be told of a token: everything but the secret.
type TokenInfo struct {
	ID      string        // eight hexadecimal digits, for RevokeToken
	Role    Role          // what its key is admitted for
	Left    time.Duration // until it ends
	Replace string        // the member whose place it gives; "": a new member
	UsedBy  string        // the member that came by it; "": nobody yet
}

// CreateToken makes a token for one key, and returns its text when it is on disk.
// It ends with this boot of the master at the latest.
func (a *Authority) CreateToken(now power.Uptime, boot string, o TokenOptions) (string, error) {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < time.Second || o.TTL > MaxTTL {
		return "", fmt.Errorf("cannot create a token for %s; choose from 1s to 24h", o.TTL)
	}
	tok := Token{CA: a.CA()}
	err := a.change(func(r *roster) (*roster, error) {
		t := tokenRecord{Role: o.Role, Boot: boot, Ends: now.Add(o.TTL)}
		if o.Replace != "" {
			m, err := r.replaced(o)
			if err != nil {
				return nil, err
			}
			t.Role, t.Replaces, t.Old = m.Role, m.Name, m.Fingerprint
		}
		if t.Role != RoleNode && t.Role != RoleOperator && t.Role != RoleViewer {
			return nil, fmt.Errorf("nobody joins as %s; name agent, operator or viewer", t.Role)
		}
		next := r.copy()
		next.prune(now, boot)
		for t.Hash == nil || next.token(t.id()) >= 0 { // ids stay apart
			rand.Read(tok.Secret[:]) // never fails (crypto/rand.Read)
			sum := sha256.Sum256(tok.Secret[:])
			t.Hash = sum[:]
		}
		next.setToken(t)
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

// replaced finds the member that o means.
func (r *roster) replaced(o TokenOptions) (Member, error) {
	if err := CheckName(o.Replace); err != nil {
		return Member{}, err
	}
	m, ok := r.member(o.Replace)
	switch {
	case !ok:
		return Member{}, fmt.Errorf("for %s: %w", o.Replace, ErrNoMember)
	case o.Role != RoleNone && o.Role != m.Role:
		return Member{}, fmt.Errorf("%s is admitted as %s, not as %s", m.Name, m.Role, o.Role)
	}
	return m, nil
}

// token finds a token by id; -1: none.
func (r *roster) token(id string) int {
	return slices.IndexFunc(r.Tokens, func(t tokenRecord) bool { return t.id() == id })
}

// ListTokens returns the tokens that have not ended, the first to end first.
func (a *Authority) ListTokens(now power.Uptime, boot string) []TokenInfo {
	var out []TokenInfo
	for _, t := range a.state.Load().Tokens {
		if !t.ended(now, boot) {
			out = append(out, TokenInfo{ID: t.id(), Role: t.Role, Left: t.Ends.Sub(now), Replace: t.Replaces, UsedBy: t.Name})
		}
	}
	slices.SortFunc(out, func(a, b TokenInfo) int {
		return cmp.Or(cmp.Compare(a.Left, b.Left), strings.Compare(a.ID, b.ID))
	})
	return out
}

// RevokeToken ends the token with that id, or with that text, and returns when it
// is gone from the disk. Whoever came by it stays a member. An id that is unknown
// is [ErrNoToken].
func (a *Authority) RevokeToken(id string) error {
	id = strings.TrimSpace(id)
	// Whoever has the whole text at hand need not look for the id.
	if tok, err := ParseToken(id); err == nil {
		sum := sha256.Sum256(tok.Secret[:])
		id = tokenRecord{Hash: sum[:]}.id()
	}
	err := a.change(func(r *roster) (*roster, error) {
		i := r.token(strings.ToLower(id))
		if i < 0 {
			return nil, ErrNoToken
		}
		next := r.copy()
		next.Tokens = slices.DeleteFunc(next.Tokens, func(t tokenRecord) bool { return bytes.Equal(t.Hash, r.Tokens[i].Hash) })
		return next, nil
	})
	if err != nil {
		return fmt.Errorf("cannot revoke the token: %w", err) // what was typed may hold a secret
	}
	return nil
}
