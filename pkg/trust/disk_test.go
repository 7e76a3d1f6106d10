//go:build unix

package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// TestRestart: the rack outlives its master's process, and the tokens of this boot
// with it.
func TestRestart(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	b, err := OpenAuthority(a.dir, "rack1")
	must(t, b, err)
	if a.CA() != b.CA() {
		t.Error("a restart made another CA")
	}
	if diff := cmp.Diff(a.Members(), b.Members()); diff != "" {
		t.Errorf("the roster (-before +after)\n%s", diff)
	}
	_, srv, cerr, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), b.ServerTLS())
	if p, err := b.Identify(srv); cerr != nil || err != nil || p.Name != "web1" {
		t.Errorf("after the restart: %+v, %v, %v", p, err, cerr)
	}
	if _, _, err := b.Admit(0, boot, tok.Secret[:], "web2", public(t, key)); err != nil {
		t.Errorf("a token of before the restart: %v", err)
	}
}

// TestRenamedMaster: its agents stay joined.
func TestRenamedMaster(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	for _, name := range []string{"rack2", "rack2", "rack1"} {
		b, err := OpenAuthority(a.dir, name)
		must(t, b, err)
		cli, srv, cerr, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), b.ServerTLS())
		if p, err := id.Identify(cli, Removed{}); cerr != nil || err != nil || p.Name != name {
			t.Errorf("the agent sees %+v, %v, %v; want %s", p, err, cerr, name)
		}
		if _, err := b.Identify(srv); err != nil {
			t.Error(err)
		}
	}
}

// TestFirstStartThatDied: whatever of the first start is on disk, the next goes on.
func TestFirstStartThatDied(t *testing.T) {
	for _, lost := range [][]string{{masterFile}, {masterFile, rosterFile}, {masterFile, rosterFile, caFile}} {
		a := newAuthority(t)
		for _, f := range lost {
			if err := os.Remove(a.path(f)); err != nil {
				t.Fatal(err)
			}
		}
		b, err := OpenAuthority(a.dir, "rack1")
		if err != nil {
			t.Errorf("without %v: %v", lost, err)
			continue
		}
		join(t, b, "web1", RoleNode)
	}
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0) // what a careless service manager may leave
	defer syscall.Umask(old)
	a := newAuthority(t)
	dir := filepath.Join(t.TempDir(), "agent")
	if _, err := LoadKey(dir); err != nil {
		t.Fatal(err)
	}
	if err := join(t, a, "web1", RoleNode).Save(dir); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range []string{a.dir, dir} {
		st, err := os.Stat(d)
		must(t, st, err)
		if st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", filepath.Base(d), st.Mode().Perm())
		}
		files, err := os.ReadDir(d)
		must(t, files, err)
		for _, f := range files {
			n++
			info, err := f.Info()
			must(t, info, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", f.Name(), info.Mode().Perm())
			}
		}
	}
	if n != 5 {
		t.Errorf("%d files, want 5: nothing temporary stays", n)
	}
}

// spoil puts something else in place of a file, and says what the owner then reads.
var spoil = []struct {
	name, want string
	do         func(path string) error
}{
	{"a symbolic link", "it is a symbolic link", func(p string) error {
		if err := os.Rename(p, p+".real"); err != nil {
			return err
		}
		return os.Symlink(p+".real", p)
	}},
	{"a FIFO", "it is not a regular file", func(p string) error { os.Remove(p); return syscall.Mkfifo(p, 0o600) }},
	{"a folder", "it is not a regular file", func(p string) error { os.Remove(p); return os.Mkdir(p, 0o700) }},
	{"a file that others may write", "others may read or write it (mode 0602)", func(p string) error { return os.Chmod(p, 0o602) }},
	{"a file that the group may read", "others may read or write it (mode 0640)", func(p string) error { return os.Chmod(p, 0o640) }},
	{"an empty file", "the file is damaged", func(p string) error { return os.WriteFile(p, nil, 0o600) }},
	{"junk", "the file is damaged", func(p string) error { return os.WriteFile(p, []byte("junk\n"), 0o600) }},
	{"half of it", "the file is damaged", func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(p, b[:len(b)/2], 0o600)
	}},
	{"far too much", "larger than 16 MiB", func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("x"), maxFile+1), 0o600) }},
}

func TestSpoiltFiles(t *testing.T) {
	for _, s := range spoil {
		for _, file := range []string{caFile, masterFile, rosterFile} {
			t.Run(s.name+" for "+file, func(t *testing.T) {
				a := newAuthority(t)
				if err := s.do(a.path(file)); err != nil {
					t.Fatal(err)
				}
				_, err := OpenAuthority(a.dir, "rack1")
				if err == nil || !strings.Contains(err.Error(), s.want) || !strings.Contains(err.Error(), a.path(file)) {
					t.Errorf("got %v, want %q about %s", err, s.want, file)
				}
			})
		}
		for _, file := range []string{keyFile, identityFile} {
			t.Run(s.name+" for "+file, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "agent")
				if _, err := LoadKey(dir); err != nil {
					t.Fatal(err)
				}
				if err := join(t, newAuthority(t), "web1", RoleNode).Save(dir); err != nil {
					t.Fatal(err)
				}
				if err := s.do(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
				var err error
				if file == keyFile {
					_, err = LoadKey(dir)
				} else {
					_, err = LoadIdentity(dir)
				}
				if err == nil || errors.Is(err, ErrNotJoined) || !strings.Contains(err.Error(), s.want) {
					t.Errorf("got %v, want %q", err, s.want)
				}
			})
		}
	}
}

func TestSpoiltFolders(t *testing.T) {
	a := newAuthority(t)
	if err := os.Chmod(a.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(a.dir, "rack1"); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("a folder that others may write: %v", err)
	}
	if _, err := LoadKey(a.dir); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("a folder that others may write: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(file, "rack1"); err == nil {
		t.Error("a file was taken for a folder")
	}
	if _, err := LoadIdentity(filepath.Join(file, "none")); err == nil || errors.Is(err, ErrNotJoined) {
		t.Errorf("what can't be looked at is not the same as not joined: %v", err)
	}
	if _, err := LoadIdentity(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotJoined) {
		t.Errorf("no folder: %v", err)
	}
}

// TestLostFiles: a rack with members does not begin anew because a file is gone.
func TestLostFiles(t *testing.T) {
	for _, lost := range [][]string{{caFile}, {rosterFile}, {caFile, masterFile}, {caFile, rosterFile}} {
		a := newAuthority(t)
		join(t, a, "web1", RoleNode)
		for _, f := range lost {
			if err := os.Remove(a.path(f)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := OpenAuthority(a.dir, "rack1")
		if err == nil || !strings.Contains(err.Error(), lost[0]+" is missing") || !strings.Contains(err.Error(), "restore it from a backup") {
			t.Errorf("without %v: %v", lost, err)
		}
		if _, err := os.Stat(a.path(lost[0])); err == nil {
			t.Errorf("without %v: a new one was made", lost)
		}
	}
}

// TestTamperedRoster: no hand but the master's writes it.
func TestTamperedRoster(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	join(t, a, "web1", RoleNode)
	join(t, other, "web1", RoleNode)
	good, err := os.ReadFile(a.path(rosterFile))
	must(t, good, err)
	foreign, err := os.ReadFile(other.path(rosterFile))
	must(t, foreign, err)
	for name, data := range map[string][]byte{
		"another role":   bytes.Replace(good, []byte(`"role": "node"`), []byte(`"role": "operator"`), 1),
		"another name":   bytes.Replace(good, []byte(`"web1"`), []byte(`"web2"`), 1),
		"another rack's": foreign,
		"no signature":   bytes.Replace(good, []byte(`"signature"`), []byte(`"signatur"`), 1),
		"empty object":   []byte("{}"),
	} {
		if bytes.Equal(data, good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(a.path(rosterFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAuthority(a.dir, "rack1"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// White space is not a change.
	if err := os.WriteFile(a.path(rosterFile), bytes.ReplaceAll(good, []byte("\n"), []byte("\n\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(a.dir, "rack1"); err != nil {
		t.Error(err)
	}
}

func TestMixedFolders(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	data, err := os.ReadFile(other.path(masterFile))
	must(t, data, err)
	if err := os.WriteFile(a.path(masterFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(a.dir, "rack1"); err == nil || !strings.Contains(err.Error(), "not of the CA beside it") {
		t.Errorf("another rack's master.pem: %v", err)
	}
}

// TestLaw12NobodyIsAdmittedWhoIsNotOnDisk: a disk that fails leaves everything as
// it was, in memory too, and the same token works when it is well again.
func TestLaw12NobodyIsAdmittedWhoIsNotOnDisk(t *testing.T) {
	a := newAuthority(t)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	gone := a.dir + ".gone" // also for root a folder that isn't there can't be written
	if err := os.Rename(a.dir, gone); err != nil {
		t.Fatal(err)
	}
	if cert, _, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key)); err == nil || cert != nil {
		t.Errorf("admitted without a disk: %v", err)
	}
	if s, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode}); err == nil || s != "" {
		t.Error("a token was made without a disk")
	}
	if len(a.Members()) != 0 {
		t.Errorf("on the roster in memory: %v", a.Members())
	}
	if err := os.Rename(gone, a.dir); err != nil {
		t.Fatal(err)
	}
	// Nothing half-done: the token is still free, even for another key.
	if _, _, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, newKey(t))); err != nil {
		t.Error(err)
	}
	// A rename that fails leaves no litter.
	if err := os.Remove(a.path(rosterFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(a.path(rosterFile)+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode}); err == nil {
		t.Error("a token was made over a folder")
	}
	if litter, _ := filepath.Glob(filepath.Join(a.dir, ".new-*")); len(litter) != 0 {
		t.Errorf("left behind: %v", litter)
	}
}

// TestLaw10HangingDisk: changes are refused while another one hangs, and looking
// goes on.
func TestLaw10HangingDisk(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	_, srv, _, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
	synctest.Test(t, func(t *testing.T) {
		a.turn = make(chan struct{}, 1) // of this bubble
		a.turn <- struct{}{}            // somebody's write never comes back
		if _, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode}); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want %v", err, ErrBusy)
		}
		if _, err := a.Identify(srv); err != nil || len(a.Members()) != 1 {
			t.Errorf("looking waits for the disk: %v", err)
		}
	})
}

// TestSecretsStayOut: the master keeps no secret of a token, and no log gets one.
func TestSecretsStayOut(t *testing.T) {
	a := newAuthority(t)
	tok := newToken(t, a, RoleNode)
	files, err := filepath.Glob(filepath.Join(a.dir, "*"))
	must(t, files, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, b, err)
		for _, s := range [][]byte{tok.Secret[:], []byte(tok.String()), []byte(tokenText.EncodeToString(tok.Secret[:])), fmt.Appendf(nil, "%x", tok.Secret)} {
			if bytes.Contains(b, s) {
				t.Errorf("%s has a token's secret in it", filepath.Base(f))
			}
		}
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("join", "token", tok)
	if want := `"token":"lw1-(secret)"`; !strings.Contains(out.String(), want) {
		t.Errorf("the log has %s", out.String())
	}
}

func TestTooManyTokens(t *testing.T) {
	a := newAuthority(t)
	r := &roster{}
	for i := range maxTokens {
		r.Tokens = append(r.Tokens, tokenRecord{Hash: []byte{byte(i), byte(i >> 8)}, Role: RoleNode, Boot: boot, Ends: 1000})
	}
	a.state.Store(r)
	if _, err := a.CreateToken(0, boot, TokenOptions{Role: RoleNode}); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	if _, err := a.CreateToken(1000, boot, TokenOptions{Role: RoleNode}); err != nil || len(a.state.Load().Tokens) != 1 {
		t.Errorf("ended tokens count: %v, %d are left", err, len(a.state.Load().Tokens))
	}
}

// TestFilesThatDontFit: a CA that may not sign, and a key that is not its
// certificate's, are damage, also where nothing else is there to compare with.
func TestFilesThatDontFit(t *testing.T) {
	a := newAuthority(t)
	key := newKey(t)
	der, err := selfSign(key, "rack1 CA", false)
	must(t, der, err)
	cert, err := x509.ParseCertificate(der)
	must(t, cert, err)
	for name, b := range map[string]bundle{"may not sign": {key: key, cert: cert}, "another's key": {key: key, cert: a.ca}} {
		dir := t.TempDir()
		if err := b.save(filepath.Join(dir, caFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAuthority(dir, "rack1"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a CA: %s: %v", name, err)
		}
	}
	dir, id := t.TempDir(), join(t, a, "web1", RoleNode)
	for name, b := range map[string]bundle{
		"another's key":     {key: key, cert: id.Certificate.Leaf, ca: a.ca},
		"another rack's CA": {key: id.Certificate.PrivateKey.(ed25519.PrivateKey), cert: id.Certificate.Leaf, ca: newAuthority(t).ca},
		"without a CA":      {key: id.Certificate.PrivateKey.(ed25519.PrivateKey), cert: id.Certificate.Leaf},
	} {
		if err := b.save(filepath.Join(dir, identityFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(dir); err == nil || errors.Is(err, ErrNotJoined) {
			t.Errorf("an identity: %s: %v", name, err)
		}
	}
}
