//go:build unix

package trust

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func opened(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, "rack1")
	return must(t, a, err)
}

// TestImportOverwritesNobody: what is in the folder stays as it was.
func TestImportOverwritesNobody(t *testing.T) {
	data := export(t, newAuthority(t))
	for name, make := range map[string]func(a *Authority){
		"a rack with a member":            func(a *Authority) { join(t, a, "web1", RoleNode) },
		"a rack that lost its roster":     func(a *Authority) { os.Remove(a.path(rosterFile)) },
		"a rack that lost its CA":         func(a *Authority) { os.Remove(a.path(caFile)) },
		"a rack with a damaged roster":    func(a *Authority) { os.WriteFile(a.path(rosterFile), []byte("{}"), 0o600) },
		"a rack with a damaged CA":        func(a *Authority) { os.WriteFile(a.path(caFile), nil, 0o600) },
		"a rack whose CA others may read": func(a *Authority) { os.Chmod(a.path(caFile), 0o644) },
		"a rack whose key is damaged":     func(a *Authority) { os.WriteFile(a.path(masterFile), nil, 0o600) },
		"a folder that others may write":  func(a *Authority) { os.Chmod(a.dir, 0o777) },
		"a roster that others may write":  func(a *Authority) { os.Chmod(a.path(rosterFile), 0o666) },
		"a rack that removed everybody": func(a *Authority) {
			join(t, a, "web1", RoleNode)
			if err := a.Remove("web1"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		a := newAuthority(t)
		make(a)
		before := readDir(t, a.dir)
		if rack, err := Import(a.dir, phrase, data); err == nil || rack != "" {
			t.Errorf("%s was overwritten", name)
		}
		if diff := cmp.Diff(before, readDir(t, a.dir)); diff != "" {
			t.Errorf("%s: (-before +after)\n%s", name, diff)
		}
	}
	a := newAuthority(t)
	join(t, a, "web1", RoleNode)
	if _, err := Import(a.dir, phrase, data); !errors.Is(err, ErrOtherCA) {
		t.Errorf("another rack: %v", err)
	}
	if next, err := a.Import(phrase, data); !errors.Is(err, ErrOtherCA) || next != nil {
		t.Errorf("another rack that runs: %v", err)
	}
	if err := a.Remove("web1"); err != nil {
		t.Errorf("after an import that was refused nothing can be changed: %v", err)
	}
}

// TestImportOverTheSame: an old export only adds. Nobody who was removed, and no key
// that was replaced, comes back.
func TestImportOverTheSame(t *testing.T) {
	a := newAuthority(t)
	web1, web2 := join(t, a, "web1", RoleNode), join(t, a, "web2", RoleNode)
	join(t, a, "web3", RoleNode)
	data := export(t, a)
	if err := a.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	if err := admit(t, a, tokenFor(t, a, TokenOptions{Replace: "web2"}), "web2", Identity{}); err != nil {
		t.Fatal(err)
	}
	ann := join(t, a, "ann", RoleOperator)
	tok := newToken(t, a, RoleNode)
	own := fingerprint(publicOf(t, a.id))
	members, removed := a.Members(), a.Removed()

	next, err := a.Import(phrase, data)
	must(t, next, err)
	for when, b := range map[string]*Authority{"at once": next, "after a restart": opened(t, a.dir)} {
		if diff := cmp.Diff(members, b.Members()); diff != "" {
			t.Errorf("%s, the roster (-before +after)\n%s", when, diff)
		}
		if diff := cmp.Diff(removed, b.Removed()); diff != "" {
			t.Errorf("%s, the removed (-before +after)\n%s", when, diff)
		}
		for _, id := range []Identity{web1, web2} {
			if _, err := seenBy(t, b, id); !errors.Is(err, ErrRemoved) {
				t.Errorf("%s, %s came back: %v", when, id, err)
			}
		}
		if _, err := seenBy(t, b, ann); err != nil {
			t.Errorf("%s, who came later: %v", when, err)
		}
		if fingerprint(publicOf(t, b.id)) != own {
			t.Errorf("%s, the master has another key", when)
		}
	}
	if err := admit(t, next, tok, "web9", Identity{}); err != nil {
		t.Errorf("a token from before: %v", err)
	}
	// The roster was lost: this is what exports are for.
	for _, lose := range []func(string) error{os.Remove, func(p string) error { return os.WriteFile(p, []byte("{}"), 0o600) }} {
		if err := lose(a.path(rosterFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := Import(a.dir, phrase, data); err != nil {
			t.Errorf("over a lost roster: %v", err)
		}
		if got := names(opened(t, a.dir)); !slices.Equal(got, []string{"web1 node", "web2 node", "web3 node"}) {
			t.Errorf("over a lost roster: %v", got)
		}
	}
	// So was the CA.
	if err := os.Remove(a.path(caFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(a.dir, phrase, data); err != nil {
		t.Errorf("over a lost CA: %v", err)
	}
	if b := opened(t, a.dir); b.CA() != a.CA() || fingerprint(publicOf(t, b.id)) != own {
		t.Error("over a lost CA: another CA, or another key")
	}
}

// TestImportOfATwin: two masters of one CA ran side by side. What this one knows
// stands; what only the other one knew comes along.
func TestImportOfATwin(t *testing.T) {
	a := newAuthority(t)
	twin := opened(t, copyDir(t, a.dir))
	web1, web2 := join(t, a, "web1", RoleNode), join(t, a, "web2", RoleNode)
	other, web3 := join(t, twin, "web1", RoleNode), join(t, twin, "web3", RoleNode)
	if err := admit(t, twin, newToken(t, twin, RoleNode), "web4", web2); err != nil { // renamed
		t.Fatal(err)
	}
	next, err := a.Import(phrase, export(t, twin))
	must(t, next, err)
	for _, tt := range []struct {
		id   Identity
		want error
	}{{web1, nil}, {web2, nil}, {web3, nil}, {other, ErrNotAdmitted}} {
		if _, err := seenBy(t, next, tt.id); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.id, err, tt.want)
		}
	}
	if got := names(next); !slices.Equal(got, []string{"web1 node", "web2 node", "web3 node"}) {
		t.Errorf("in are %v", got)
	}
}

// TestImportIntoARunningMaster: what the old Authority does after that is refused,
// so that it can't write the old rack over the new one.
func TestImportIntoARunningMaster(t *testing.T) {
	a, fresh := newAuthority(t), newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	next, err := fresh.Import(phrase, export(t, a))
	must(t, next, err)
	if _, err := seenBy(t, next, web1); err != nil || next.CA() != a.CA() {
		t.Errorf("the new master: %v", err)
	}
	if _, err := fresh.CreateToken(0, boot, TokenOptions{Role: RoleNode}); !errors.Is(err, ErrRetired) {
		t.Errorf("the old one makes a token: %v", err)
	}
	if b := opened(t, fresh.dir); len(b.Members()) != 1 {
		t.Errorf("on disk are %v", names(b))
	}
	if _, err := fresh.Import(phrase, export(t, a)); !errors.Is(err, ErrRetired) {
		t.Errorf("twice: %v", err)
	}
}

// TestImportThatDied: whatever of an import is on disk, no master starts with half a
// rack, and the same import goes on.
func TestImportThatDied(t *testing.T) {
	a := newAuthority(t)
	join(t, a, "web1", RoleNode)
	data := export(t, a)
	b, err := readExport(phrase, data)
	must(t, b, err)
	for where, make := range map[string]func() string{
		"an empty folder":  func() string { return t.TempDir() },
		"a fresh master's": func() string { return newAuthority(t).dir },
	} {
		for done := 0; ; done++ {
			dir := make()
			var fresh [32]byte
			if where != "an empty folder" {
				fresh = opened(t, dir).CA()
			}
			steps, err := b.steps(dir)
			must(t, steps, err)
			if done == len(steps) {
				break
			}
			for _, step := range steps[:done] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			// It is the one of before, or a first start in an empty folder, or refused.
			left, err := OpenAuthority(copyDir(t, dir), "rack1")
			if err == nil && (left.CA() == a.CA() || done > 0 && left.CA() != fresh) {
				t.Errorf("%s, dead after step %d: a master starts with %v", where, done, names(left))
			}
			if _, err := Import(dir, phrase, data); err != nil {
				t.Errorf("%s, again after step %d: %v", where, done, err)
			} else if b := opened(t, dir); b.CA() != a.CA() || len(b.Members()) != 1 {
				t.Errorf("%s, again after step %d: %v", where, done, names(b))
			}
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(filepath.Join(file, "trust"), phrase, data); err == nil {
		t.Error("a folder that can't be made")
	}
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range readDir(t, dir) {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestImportedNames: the head is shown to people before anything is proved.
func TestImportedNames(t *testing.T) {
	for _, name := range []string{"", "-", ".", "a b", "\x1b[2J", "a\nrack b", strings.Repeat("a", 64), "../x"} {
		if rack, _, err := ExportOf(fake(name, fp(1), []byte("x\n"))); err == nil || rack != "" {
			t.Errorf("%q is a rack", rack)
		}
	}
}
