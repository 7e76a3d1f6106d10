package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Remove cuts a member off: from this moment Identify refuses its key, and nothing
// ever admits that key again. It returns when that is on disk. Where the disk fails
// the error says so, and the key stays cut off until the master restarts. A name
// that is not on the roster is [ErrNoMember].
//
// Connections that were identified before are the caller's to end.
func (a *Authority) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("cannot remove a member: %w: %w", ErrNoMember, err)
	}
	m, ok := a.state.Load().member(name)
	if !ok {
		return fmt.Errorf("cannot remove %s: %w", name, ErrNoMember)
	}
	a.cutNow(m.Fingerprint)
	err := a.change(func(r *roster) (*roster, error) {
		keys := []string{m.Fingerprint}
		if now, ok := r.member(name); ok && now.Fingerprint != m.Fingerprint { // replaced meanwhile
			keys = append(keys, now.Fingerprint)
			a.cutNow(now.Fingerprint)
		}
		next := r.copy()
		for _, fp := range keys {
			next.cut(fp)
			// Nobody takes the place of one who was sent away.
			next.Tokens = slices.DeleteFunc(next.Tokens, func(t tokenRecord) bool { return t.Fingerprint == fp || t.Old == fp })
		}
		return next, nil
	})
	if err != nil {
		return fmt.Errorf("%s is cut off until the master restarts, but not on disk; remove it again: %w", name, err)
	}
	return nil
}

// cutNow holds in memory at once: a disk that hangs must not keep somebody in.
func (a *Authority) cutNow(fp string) {
	for {
		old := a.cut.Load()
		next := &Removed{keys: union(old.keys, []string{fp})}
		if a.cut.CompareAndSwap(old, next) {
			return
		}
	}
}

// Removed returns the fingerprints of every key that was removed or replaced,
// sorted, for agents to keep.
func (a *Authority) Removed() []string { return union(a.state.Load().Removed, a.cut.Load().keys) }

// Removed is the list of keys that a node lets in no more, though they have a
// certificate of the rack's CA. It only grows: a removed key never comes back (a
// replaced node has its old name, and a new key), so that an older list, or a
// master that was set back to an older roster, opens nothing. It is a value that
// never changes; the zero value is empty.
type Removed struct {
	keys []string // fingerprints, sorted
}

// maxRemoved bounds what a list takes: 2 MiB on disk, half of what gRPC lets
// through in one message.
const maxRemoved = 1 << 15

// removedFile lies beside the identity of the rack that it belongs to.
const removedFile = "removed.txt"

// The first and the last line of a list on disk.
const (
	removedHead = "lastwatt removed keys 1\n"
	removedSum  = "sha256 "
)

// ErrFingerprint is the error for text that is no key's fingerprint.
var ErrFingerprint = errors.New("a fingerprint has 64 of 0-9 a-f")

// Has reports whether the key with that fingerprint was removed.
func (r Removed) Has(fp string) bool {
	_, ok := slices.BinarySearch(r.keys, fp)
	return ok
}

// Len returns how many keys were removed.
func (r Removed) Len() int { return len(r.keys) }

// With returns the list with keys added, and whether it grew. Where a key can't be
// one, or there are too many, nothing is added.
func (r Removed) With(keys []string) (Removed, bool, error) {
	for _, k := range keys {
		if !isFingerprint(k) {
			return r, false, fmt.Errorf("cannot take the list of removed keys: %w", ErrFingerprint)
		}
	}
	all := union(r.keys, keys)
	if len(all) > maxRemoved {
		return r, false, fmt.Errorf("cannot take the list of removed keys: more than %d", maxRemoved)
	}
	return Removed{keys: all}, len(all) > len(r.keys), nil
}

func isFingerprint(s string) bool {
	return len(s) == hex.EncodedLen(sha256.Size) && strings.Trim(s, "0123456789abcdef") == ""
}

// Save writes the list into dir, beside the identity, wholly or not at all.
func (r Removed) Save(dir string) error {
	err := secureDir(dir)
	if err == nil {
		err = writeSecret(filepath.Join(dir, removedFile), r.encode())
	}
	if err != nil {
		return fmt.Errorf("cannot save the list of removed keys: %w", err)
	}
	return nil
}

// LoadRemoved reads what Save wrote; nothing there is the empty list. With an error
// the list is empty too, and the master's next one fills it.
func LoadRemoved(dir string) (Removed, error) {
	path := filepath.Join(dir, removedFile)
	data, err := readSecret(path)
	if missing(err) {
		return Removed{}, nil
	}
	if err == nil {
		if r, ok := decodeRemoved(data); ok {
			return r, nil
		}
		err = corrupt(path)
	}
	return Removed{}, fmt.Errorf("cannot load the list of removed keys: %w", err)
}

// encode writes one key per line between a head and a sum that tells damage.
func (r Removed) encode() []byte {
	var b bytes.Buffer
	b.WriteString(removedHead)
	for _, k := range r.keys {
		b.WriteString(k + "\n")
	}
	sum := sha256.Sum256(b.Bytes())
	b.WriteString(removedSum + hex.EncodeToString(sum[:]) + "\n")
	return b.Bytes()
}

// decodeRemoved takes exactly what encode writes.
func decodeRemoved(data []byte) (Removed, bool) {
	body, ok := bytes.CutPrefix(data, []byte(removedHead))
	if !ok {
		return Removed{}, false
	}
	lines := strings.Split(string(body), "\n")
	if len(lines) < 2 {
		return Removed{}, false
	}
	r, _, err := Removed{}.With(lines[:len(lines)-2])
	if err != nil || !bytes.Equal(r.encode(), data) {
		return Removed{}, false
	}
	return r, true
}
