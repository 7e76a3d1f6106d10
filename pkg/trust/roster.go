package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
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
	// Replaces is the member whose place a new key takes, and Old the key that goes;
	// empty: a new member.
	Replaces string `json:"replaces,omitempty"`
	Old      string `json:"old,omitempty"`
	// Name and Fingerprint say who used it; empty: nobody yet.
	Name        string `json:"name,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// id names a token without giving it away: 32 bits of a hash of 128 random ones.
func (t tokenRecord) id() string { return hex.EncodeToString(t.Hash[:min(idSize, len(t.Hash))]) }

const idSize = 4

func (t tokenRecord) ended(now power.Uptime, boot string) bool {
	return t.Boot != boot || !now.Before(t.Ends)
}

// roster is everything that changes, in one file, so that a token can't be used up
// without its member being on record, nor a key be replaced without being removed.
// It is never changed in place.
type roster struct {
	Members []Member      `json:"members"` // sorted by name
	Tokens  []tokenRecord `json:"tokens"`
	Removed []string      `json:"removed,omitempty"` // fingerprints that never come back, sorted
}

// member finds a member by name.
func (r *roster) member(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(r.Members, name, func(m Member, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Member{}, false
	}
	return r.Members[i], true
}

// owner finds the member that has a key.
func (r *roster) owner(fp string) (Member, bool) {
	i := slices.IndexFunc(r.Members, func(m Member) bool { return m.Fingerprint == fp })
	if i < 0 {
		return Member{}, false
	}
	return r.Members[i], true
}

func (r *roster) removed(fp string) bool {
	_, ok := slices.BinarySearch(r.Removed, fp)
	return ok
}

// copy returns a roster that may be changed.
func (r *roster) copy() *roster {
	return &roster{Members: slices.Clone(r.Members), Tokens: slices.Clone(r.Tokens), Removed: slices.Clone(r.Removed)}
}

// prune forgets ended tokens.
func (r *roster) prune(now power.Uptime, boot string) {
	r.Tokens = slices.DeleteFunc(r.Tokens, func(t tokenRecord) bool { return t.ended(now, boot) })
}

// setToken puts t in place of the token with its hash.
func (r *roster) setToken(t tokenRecord) {
	r.Tokens = slices.DeleteFunc(r.Tokens, func(o tokenRecord) bool { return bytes.Equal(o.Hash, t.Hash) })
	r.Tokens = append(r.Tokens, t)
}

// setMember puts m in place of the member with its name.
func (r *roster) setMember(m Member) {
	r.Members = slices.DeleteFunc(r.Members, func(o Member) bool { return o.Name == m.Name })
	r.Members = append(r.Members, m)
	slices.SortFunc(r.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}

// cut takes a key off for ever, whatever it was a member as.
func (r *roster) cut(fp string) {
	r.Members = slices.DeleteFunc(r.Members, func(m Member) bool { return m.Fingerprint == fp })
	r.Removed = union(r.Removed, []string{fp})
}

// union returns what is in a or b, sorted, once each.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
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

// sign returns the roster as it lies on disk.
func (r *roster) sign(caKey ed25519.PrivateKey) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("cannot write the roster: %w", err)
	}
	sig := ed25519.Sign(caKey, append([]byte(rosterContext), body...))
	out, err := json.MarshalIndent(signed{Roster: body, Signature: sig}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the roster: %w", err)
	}
	return append(out, '\n'), nil
}

func saveRoster(path string, r *roster, caKey ed25519.PrivateKey) error {
	data, err := r.sign(caKey)
	if err != nil {
		return err
	}
	return writeSecret(path, data)
}

func loadRoster(path string, ca ed25519.PublicKey) (*roster, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	var s signed
	var body bytes.Buffer
	r := &roster{}
	if json.Unmarshal(data, &s) != nil || json.Compact(&body, s.Roster) != nil ||
		!ed25519.Verify(ca, append([]byte(rosterContext), body.Bytes()...), s.Signature) ||
		json.Unmarshal(body.Bytes(), r) != nil {
		return nil, corrupt(path)
	}
	return r, nil
}

// change makes next of what holds, puts it on disk, and only then lets it hold.
// Changes happen one after the other; next sees the one before it.
func (a *Authority) change(next func(*roster) (*roster, error)) error {
	if err := a.takeTurn(); err != nil {
		return err
	}
	defer func() { <-a.turn }()
	r, err := next(a.state.Load())
	if err != nil || r == nil {
		return err
	}
	if err := saveRoster(a.path(rosterFile), r, a.key); err != nil {
		return err
	}
	a.state.Store(r)
	return nil
}

// takeTurn waits for the change before this one; receiving from turn ends it.
func (a *Authority) takeTurn() error {
	wait := time.NewTimer(turnLimit)
	defer wait.Stop()
	select {
	case a.turn <- struct{}{}:
	case <-wait.C:
		return ErrBusy
	}
	if a.retired {
		<-a.turn
		return ErrRetired
	}
	return nil
}
