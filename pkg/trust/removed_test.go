//go:build unix

package trust

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fp makes a fingerprint that no key has.
func fp(n int) string { return fmt.Sprintf("%064x", n) }

// TestAgentsRefuseRemovedKeys: a node has no roster, but it keeps the list.
func TestAgentsRefuseRemovedKeys(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	ann, bob := join(t, a, "ann", RoleOperator), join(t, a, "bob", RoleViewer)
	dir := filepath.Join(t.TempDir(), "racks", "rack1")
	if err := a.Remove("ann"); err != nil {
		t.Fatal(err)
	}
	list, grew, err := Removed{}.With(a.Removed())
	if err != nil || !grew || list.Len() != 1 {
		t.Fatalf("%d keys, grew %v, %v", list.Len(), grew, err)
	}
	if err := list.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadRemoved(dir)
	must(t, loaded, err)
	for when, list := range map[string]Removed{"at once": list, "after a restart": loaded} {
		for _, tt := range []struct {
			who  Identity
			want error
		}{{ann, ErrRemoved}, {bob, nil}, {a.Identity(), nil}} {
			_, srv, cerr, _ := shake(t, DialTLS(tt.who, RoleNode.ServerName()), ServeTLS(web1))
			if p, err := web1.Identify(srv, list); cerr != nil || !errors.Is(err, tt.want) || (err != nil) != (p == Peer{}) {
				t.Errorf("%s, %s is seen as %+v, %v, %v", when, tt.who.Name(), p, err, cerr)
			}
		}
	}
}

func TestRemovedOnlyGrows(t *testing.T) {
	one, _, err := Removed{}.With([]string{fp(2), fp(1), fp(2)})
	must(t, one, err)
	for _, tt := range []struct {
		name  string
		add   []string
		want  []string
		grows bool
		err   bool
	}{
		{"nothing", nil, []string{fp(1), fp(2)}, false, false},
		{"an older list", []string{fp(1)}, []string{fp(1), fp(2)}, false, false},
		{"one more", []string{fp(3)}, []string{fp(1), fp(2), fp(3)}, true, false},
		{"no fingerprint", []string{fp(3), "x"}, []string{fp(1), fp(2)}, false, true},
		{"too short", []string{fp(3)[1:]}, []string{fp(1), fp(2)}, false, true},
		{"nothing at all", []string{""}, []string{fp(1), fp(2)}, false, true},
		{"capitals", []string{strings.Repeat("A", 64)}, []string{fp(1), fp(2)}, false, true},
		{"a line end", []string{fp(3)[:63] + "\n"}, []string{fp(1), fp(2)}, false, true},
		{"an escape", []string{"\x1b[2J"}, []string{fp(1), fp(2)}, false, true},
	} {
		got, grows, err := one.With(tt.add)
		if diff := cmp.Diff(tt.want, got.keys); diff != "" || grows != tt.grows || (err != nil) != tt.err {
			t.Errorf("%s: grows %v, %v (-want +got)\n%s", tt.name, grows, err, diff)
		}
	}
	if one.Len() != 2 || !one.Has(fp(1)) || one.Has(fp(3)) || (Removed{}).Has(fp(1)) {
		t.Errorf("the list changed under its owner: %v", one.keys)
	}
	var many []string
	for i := range maxRemoved {
		many = append(many, fp(i))
	}
	full, _, err := Removed{}.With(many)
	must(t, full, err)
	if got, grows, err := full.With([]string{fp(maxRemoved)}); err == nil || grows || got.Len() != maxRemoved {
		t.Errorf("too many: %v", err)
	}
	dir := t.TempDir()
	if err := full.Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadRemoved(dir); err != nil || got.Len() != maxRemoved {
		t.Errorf("a full list: %d keys, %v", got.Len(), err)
	}
}

// TestSpoiltRemovedList: whatever lies there is told, and is never an empty list
// that nobody notices.
func TestSpoiltRemovedList(t *testing.T) {
	list, _, err := Removed{}.With([]string{fp(1), fp(2)})
	must(t, list, err)
	save := func(t *testing.T) (dir, path string) {
		dir = filepath.Join(t.TempDir(), "rack1")
		if err := list.Save(dir); err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, removedFile)
	}
	for _, s := range spoil {
		dir, path := save(t)
		if err := s.do(path); err != nil {
			t.Fatal(err)
		}
		got, err := LoadRemoved(dir)
		if err == nil || !strings.Contains(err.Error(), s.want) || !strings.Contains(err.Error(), path) || got.Len() != 0 {
			t.Errorf("%s: %v, want %q", s.name, err, s.want)
		}
	}
	good := list.encode()
	for name, data := range map[string][]byte{
		"a key less":      bytes.Replace(good, []byte(fp(1)+"\n"), nil, 1),
		"another key":     bytes.Replace(good, []byte(fp(1)), []byte(fp(0)), 1),
		"a line more":     append(bytes.Clone(good), '\n'),
		"without the sum": good[:bytes.Index(good, []byte(removedSum))],
		"only the head":   []byte(removedHead),
	} {
		dir, path := save(t)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadRemoved(dir); !errors.Is(err, ErrCorrupt) || got.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
		// The next list from the master mends it.
		if err := list.Save(dir); err != nil {
			t.Error(err)
		}
		if got, err := LoadRemoved(dir); err != nil || got.Len() != 2 {
			t.Errorf("%s, saved again: %v", name, err)
		}
	}
	if got, err := LoadRemoved(t.TempDir()); err != nil || got.Len() != 0 {
		t.Errorf("no list: %v", err)
	}
}

func FuzzRemovedList(f *testing.F) {
	list, _, _ := Removed{}.With([]string{fp(1), fp(2)})
	f.Add(list.encode())
	f.Add(Removed{}.encode())
	f.Add([]byte(removedHead))
	f.Add([]byte(removedHead + fp(1) + "\n" + removedSum + fp(2) + "\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := decodeRemoved(data)
		if !ok && r.Len() != 0 {
			t.Error("a list beside a refusal")
		}
		if ok && !bytes.Equal(r.encode(), data) {
			t.Error("two ways to write one list")
		}
	})
}
