package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Member is one admitted key.
type Member struct {
	Name        string `json:"name"`
	Role        Role   `json:"role"`
	Fingerprint string `json:"fingerprint"` // of the key: SHA-256 of its PKIX DER, hexadecimal
	Certificate []byte `json:"certificate"` // DER; kept so that a repeated Join gets the same answer
}

// tokenRecord is a token as the master keeps it: without its secret.
type tokenRecord struct {
	Hash []byte `json:"hash"` // SHA-256 of the secret, which is random: no salt is needed
	Role Role   `json:"role"`
	// A token ends by the master's own clock, and with the boot that it belongs to.
	Boot string       `json:"boot"`
	Ends power.Uptime `json:"ends"`
	// Name and Fingerprint say who used it; empty: nobody yet.
	Name        string `json:"name,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

func (t tokenRecord) ended(now power.Uptime, boot string) bool {
	return t.Boot != boot || !now.Before(t.Ends)
}

// roster is everything that Admit changes, in one file, so that a token can't be
// used up without its member being on record, nor the other way round.
type roster struct {
	Members []Member      `json:"members"` // sorted by name
	Tokens  []tokenRecord `json:"tokens"`
}

// member finds a member by name.
func (r *roster) member(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(r.Members, name, func(m Member, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Member{}, false
	}
	return r.Members[i], true
}

// with returns a copy of r without ended tokens, and with m and t in place of
// what there is of that name or hash.
func (r *roster) with(now power.Uptime, boot string, m *Member, t tokenRecord) *roster {
	out := &roster{Members: slices.Clone(r.Members)}
	for _, old := range r.Tokens {
		if !old.ended(now, boot) && !bytes.Equal(old.Hash, t.Hash) {
			out.Tokens = append(out.Tokens, old)
		}
	}
	out.Tokens = append(out.Tokens, t)
	if m != nil {
		out.Members = slices.DeleteFunc(out.Members, func(o Member) bool { return o.Name == m.Name })
		out.Members = append(out.Members, *m)
		slices.SortFunc(out.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

// signed is the roster on disk. The CA's signature tells damage, a hand that
// edited it, and the roster of another rack.
type signed struct {
	Roster    json.RawMessage `json:"roster"`
	Signature []byte          `json:"signature"` // ed25519 over rosterContext and the compact roster
}

// rosterContext keeps a signature of the CA's key from being valid as anything
// but a roster.
const rosterContext = "lastwatt roster 1\n"

func (a *Authority) saveRoster(r *roster) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write the roster: %w", err)
	}
	sig := ed25519.Sign(a.key, append([]byte(rosterContext), body...))
	out, err := json.MarshalIndent(signed{Roster: body, Signature: sig}, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the roster: %w", err)
	}
	return writeSecret(a.path(rosterFile), append(out, '\n'))
}

func (a *Authority) loadRoster() (*roster, error) {
	data, err := readSecret(a.path(rosterFile))
	if err != nil {
		return nil, err
	}
	var s signed
	var body bytes.Buffer
	r := &roster{}
	if json.Unmarshal(data, &s) != nil || json.Compact(&body, s.Roster) != nil ||
		!ed25519.Verify(a.key.Public().(ed25519.PublicKey), append([]byte(rosterContext), body.Bytes()...), s.Signature) ||
		json.Unmarshal(body.Bytes(), r) != nil {
		return nil, corrupt(a.path(rosterFile))
	}
	return r, nil
}

// change makes next of what holds, puts it on disk, and only then lets it hold.
// Changes happen one after the other; next sees the one before it.
func (a *Authority) change(next func(*roster) (*roster, error)) error {
	wait := time.NewTimer(turnLimit)
	defer wait.Stop()
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-wait.C:
		return ErrBusy
	}
	r, err := next(a.state.Load())
	if err != nil || r == nil {
		return err
	}
	if err := a.saveRoster(r); err != nil {
		return err
	}
	a.state.Store(r)
	return nil
}
