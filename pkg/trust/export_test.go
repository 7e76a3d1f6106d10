//go:build unix

package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age/armor"
	"github.com/google/go-cmp/cmp"
)

const (
	phrase = "correct horse battery"
	quick  = 2 // scrypt's work factor in tests
)

func export(t *testing.T, a *Authority) []byte {
	t.Helper()
	data, err := a.export(phrase, quick)
	return must(t, data, err)
}

// readDir returns every file in dir.
func readDir(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil && !missing(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, b, err)
		out[e.Name()] = string(b)
	}
	return out
}

// TestLaw08ReplacedMaster: the master's machine burnt down. A new one with the
// export takes over, and no node is touched.
func TestLaw08ReplacedMaster(t *testing.T) {
	a := newAuthority(t)
	web1, gone := join(t, a, "web1", RoleNode), join(t, a, "web2", RoleNode)
	ann := join(t, a, "ann", RoleOperator)
	tok := newToken(t, a, RoleNode)
	if err := a.Remove("web2"); err != nil {
		t.Fatal(err)
	}
	data := export(t, a)

	fresh, err := OpenAuthority(filepath.Join(t.TempDir(), "trust"), "rack1") // started once before
	must(t, fresh, err)
	newToken(t, fresh, RoleNode)
	for where, dir := range map[string]string{"an empty folder": filepath.Join(t.TempDir(), "trust"), "a fresh master's": fresh.dir} {
		rack, err := Import(dir, phrase, data)
		if err != nil || rack != "rack1" {
			t.Errorf("%s: %q, %v", where, rack, err)
			continue
		}
		b, err := OpenAuthority(dir, "rack1")
		must(t, b, err)
		if b.CA() != a.CA() || fingerprint(publicOf(t, b.id)) == fingerprint(publicOf(t, a.id)) {
			t.Errorf("%s: another CA, or the old master's key", where)
		}
		cli, srv, cerr, serr := shake(t, DialTLS(web1, RoleMaster.ServerName()), b.ServerTLS())
		if p, err := b.Identify(srv); cerr != nil || serr != nil || err != nil || p.Name != "web1" {
			t.Errorf("%s: the new master sees %+v, %v (%v, %v)", where, p, err, cerr, serr)
		}
		if p, err := web1.Identify(cli, Removed{}); err != nil || p.Role != RoleMaster {
			t.Errorf("%s: the node sees %+v, %v", where, p, err)
		}
		if _, srv, cerr, _ = shake(t, DialTLS(b.id, RoleNode.ServerName()), ServeTLS(web1)); cerr != nil {
			t.Errorf("%s: the new master asks the node: %v", where, cerr)
		} else if p, err := web1.Identify(srv, Removed{}); err != nil || p.Role != RoleMaster {
			t.Errorf("%s: asked by %+v, %v", where, p, err)
		}
		if p, err := seenBy(t, b, ann); err != nil || p.Role != RoleOperator {
			t.Errorf("%s: the operator is %+v, %v", where, p, err)
		}
		if _, err := seenBy(t, b, gone); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s: the removed node: %v", where, err)
		}
		if err := admit(t, b, tok, "web3", Identity{}); !errors.Is(err, ErrTokenUnknown) {
			t.Errorf("%s: a token came along: %v", where, err)
		}
		if diff := cmp.Diff(a.Members(), b.Members()); diff != "" {
			t.Errorf("%s: the roster (-old +new)\n%s", where, diff)
		}
	}
}

func TestExportsHead(t *testing.T) {
	a := newAuthority(t)
	data := export(t, a)
	want := fmt.Sprintf("lastwatt ca export 1\nrack rack1\nca %x\nsha256 ", a.CA())
	if !bytes.HasPrefix(data, []byte(want)) || !bytes.Contains(data, []byte("\n\n-----BEGIN AGE ENCRYPTED FILE-----\n")) {
		t.Errorf("it begins\n%.300s", data)
	}
	if rack, ca, err := ExportOf(data); err != nil || rack != "rack1" || ca != fmt.Sprintf("%x", a.CA()) {
		t.Errorf("it is of %q %q, %v", rack, ca, err)
	}
	full, err := a.Export(phrase)
	must(t, full, err)
	if head := unarmored(t, full); !bytes.HasPrefix(head, []byte("age-encryption.org/v1\n-> scrypt ")) || !bytes.Contains(head, []byte(" 17\n")) {
		t.Errorf("scrypt is asked to do too little: %.100q", head)
	}
	for _, short := range []string{"", "1234567"} {
		if out, err := a.Export(short); !errors.Is(err, ErrShortPhrase) || out != nil {
			t.Errorf("passphrase %q: %v", short, err)
		}
	}
	// What a mail or an editor does to line ends is no damage.
	for name, as := range map[string][]byte{
		"CRLF":        bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")),
		"blank lines": append(bytes.Clone(data), "\n \n"...),
		"no last end": bytes.TrimSpace(data),
	} {
		if _, err := Import(filepath.Join(t.TempDir(), "trust"), phrase, as); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSpoiltExports: each is told for what it is, and leaves nothing behind.
func TestSpoiltExports(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	join(t, a, "web1", RoleNode)
	data := export(t, a)
	head := bytes.Index(data, []byte("-----BEGIN"))
	resum := func(body []byte) []byte { // by somebody who knows how
		s, err := parseExport(data)
		must(t, s, err)
		return fake(s.rack, s.ca, body)
	}
	body := data[head:]
	otherHead := bytes.Replace(data, fmt.Appendf(nil, "%x", a.CA()), fmt.Appendf(nil, "%x", other.CA()), 1)
	for _, tt := range []struct {
		name, phrase string
		data         []byte
		want         error
	}{
		{"a wrong passphrase", phrase + "x", data, ErrPassphrase},
		{"no passphrase", "", data, ErrPassphrase},
		{"nothing", phrase, nil, ErrNoExport},
		{"junk", phrase, []byte("junk\n"), ErrNoExport},
		{"a key file", phrase, []byte(readDir(t, a.dir)[caFile]), ErrNoExport},
		{"age's part alone", phrase, body, ErrNoExport},
		{"the head alone", phrase, data[:head], ErrNoExport},
		{"half of it", phrase, data[:len(data)/2], ErrNoExport},
		{"all but the last line", phrase, data[:bytes.LastIndex(bytes.TrimSpace(data), []byte("\n"))], ErrNoExport},
		{"a letter changed", phrase, bytes.Replace(data, []byte("a"), []byte("b"), 60), ErrNoExport},
		{"a version to come", phrase, bytes.Replace(data, []byte("export 1"), []byte("export 2"), 1), ErrNoExport},
		{"the head of another rack's", phrase, otherHead, ErrNoExport},
		{"another rack's name", phrase, bytes.Replace(data, []byte("rack1"), []byte("rack2"), 1), ErrNoExport},
		{"an escape in its name", phrase, bytes.Replace(data, []byte("rack1"), []byte("r\x1b[2J"), 1), ErrNoExport},
		{"no age file", phrase, resum([]byte("hello\n")), ErrNoExport},
		{"cut, with the sum put right", phrase, resum(append(bytes.Clone(body[:len(body)/2]), '\n')), ErrNoExport},
		{"too large", phrase, bytes.Repeat([]byte("x"), maxFile+1), ErrNoExport},
		{"too dear", phrase, resum(armored(t, bytes.Replace(unarmored(t, data), []byte(" 2\n"), []byte(" 19\n"), 1))), ErrNoExport},
	} {
		dir := filepath.Join(t.TempDir(), "trust")
		rack, err := Import(dir, tt.phrase, tt.data)
		if !errors.Is(err, tt.want) || rack != "" {
			t.Errorf("%s: %q, %v; want %v", tt.name, rack, err, tt.want)
		}
		if tt.name == "too dear" && !strings.Contains(fmt.Sprint(err), "too large") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if files := readDir(t, dir); len(files) != 0 {
			t.Errorf("%s: left behind %v", tt.name, files)
		}
	}
}

// TestExportForm freezes the file: an export is read years after it was written, by
// another version. This one was written by the first.
func TestExportForm(t *testing.T) {
	data, err := os.ReadFile("testdata/rack1.export")
	must(t, data, err)
	dir := filepath.Join(t.TempDir(), "trust")
	if rack, err := Import(dir, phrase, data); err != nil || rack != "rack1" {
		t.Fatalf("%q, %v", rack, err)
	}
	a := opened(t, dir)
	if got := fmt.Sprintf("%x", a.CA()); got != "2e2ae4760c0e23b38eca9c60892be2a7002050f809a206c529769aac6736a350" {
		t.Errorf("the CA is %s", got)
	}
	if diff := cmp.Diff([]string{"ann operator", "web1 node"}, names(a)); diff != "" || len(a.Removed()) != 1 {
		t.Errorf("%d removed; the roster (-want +got)\n%s", len(a.Removed()), diff)
	}
}

// TestDamageIsNoWrongPassphrase: nobody looks for another passphrase because a letter
// of the file was lost, wherever it was.
func TestDamageIsNoWrongPassphrase(t *testing.T) {
	data := export(t, newAuthority(t))
	for i, c := range data {
		if i%7 != 0 || c == '\n' {
			continue
		}
		bad := bytes.Clone(data)
		bad[i] = 'A' + (c+1)%26
		if bad[i] == c {
			bad[i]++
		}
		if _, err := Import(filepath.Join(t.TempDir(), "trust"), phrase, bad); !errors.Is(err, ErrNoExport) {
			t.Errorf("with another letter at %d (%q for %q): %v", i, bad[i], c, err)
		}
	}
}

// unarmored returns age's own bytes.
func unarmored(t *testing.T, data []byte) []byte {
	t.Helper()
	s, err := parseExport(data)
	must(t, s, err)
	b, err := io.ReadAll(armor.NewReader(bytes.NewReader(s.body)))
	return must(t, b, err)
}

func armored(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fake puts a head with the right sum before anything.
func fake(rack, ca string, body []byte) []byte {
	return append(fmt.Appendf(nil, exportHead, rack, ca, sum(body)), body...)
}

// TestExportsThatLie: the passphrase is right, what is inside is not.
func TestExportsThatLie(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	join(t, other, "web2", RoleNode)
	key := newKey(t)
	operator, err := issue(a.ca, a.key, key.Public().(ed25519.PublicKey), "web1", RoleOperator)
	must(t, operator, err)
	master, err := issue(a.ca, a.key, key.Public().(ed25519.PublicKey), "rack1", RoleMaster)
	must(t, master, err)
	secondName, err := issue(a.ca, a.key, web1.Certificate.Leaf.PublicKey.(ed25519.PublicKey), "web2", RoleNode)
	must(t, secondName, err)
	keyFP := fingerprint(public(t, key))
	for name, change := range map[string]func(b *backup){
		"another CA's key":          func(b *backup) { b.Key = backupOf(t, other).Key },
		"another CA's certificate":  func(b *backup) { b.CA = backupOf(t, other).CA },
		"no key":                    func(b *backup) { b.Key = nil },
		"a member's certificate":    func(b *backup) { b.CA = b.Members[0].Certificate },
		"another rack's member":     func(b *backup) { b.Members = backupOf(t, other).Members },
		"a member without a name":   func(b *backup) { b.Members[0].Name = "" },
		"a member by another name":  func(b *backup) { b.Members[0].Name = "web2" },
		"a member in another role":  func(b *backup) { b.Members[0].Role = RoleOperator },
		"a member with another key": func(b *backup) { b.Members[0].Fingerprint = fp(1) },
		"a member twice":            func(b *backup) { b.Members = append(b.Members, b.Members[0]) },
		"two of one name":           func(b *backup) { b.Members = append(b.Members, Member{"web1", RoleOperator, keyFP, operator}) },
		"one key under two names": func(b *backup) {
			b.Members = append(b.Members, Member{"web2", RoleNode, b.Members[0].Fingerprint, secondName})
		},
		"a master as a member":       func(b *backup) { b.Members = append(b.Members, Member{"rack1", RoleMaster, keyFP, master}) },
		"a member that was removed":  func(b *backup) { b.Removed = []string{b.Members[0].Fingerprint} },
		"no fingerprint on the list": func(b *backup) { b.Removed = []string{"x"} },
		"a hostile name":             func(b *backup) { b.Rack = "../../etc" },
	} {
		b := backupOf(t, a)
		change(&b)
		plain, err := json.Marshal(b)
		must(t, plain, err)
		data, err := seal("rack1", a.CA(), phrase, quick, plain)
		must(t, data, err)
		dir := filepath.Join(t.TempDir(), "trust")
		if _, err := Import(dir, phrase, data); !errors.Is(err, ErrNoExport) {
			t.Errorf("%s: %v", name, err)
		}
		if files := readDir(t, dir); len(files) != 0 {
			t.Errorf("%s: left behind %v", name, files)
		}
	}
}

func backupOf(t *testing.T, a *Authority) backup {
	t.Helper()
	s, err := parseExport(export(t, a))
	must(t, s, err)
	b, err := s.open(phrase)
	must(t, b, err)
	return *b
}

func FuzzExportFile(f *testing.F) {
	body := []byte("-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n")
	f.Add(fake("rack1", fp(1), body))
	f.Add(fake("rack1", fp(1), nil))
	f.Add(fake("-", fp(1), body))
	f.Add([]byte("lastwatt ca export 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseExport(data)
		if err != nil {
			return
		}
		if CheckName(s.rack) != nil || !isFingerprint(s.ca) {
			t.Errorf("it is of %q %q", s.rack, s.ca)
		}
		if again, err := parseExport(fake(s.rack, s.ca, s.body)); err != nil || !bytes.Equal(again.body, s.body) {
			t.Errorf("written again it is another: %v", err)
		}
		if b, err := s.open(phrase); err == nil {
			t.Errorf("a fuzzer knows the passphrase: %v", b.Rack)
		}
	})
}

func FuzzBackup(f *testing.F) {
	a, err := OpenAuthority(filepath.Join(f.TempDir(), "trust"), "rack1")
	if err != nil {
		f.Fatal(err)
	}
	plain, err := a.backup()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"rack":"rack1","key":"","ca":"","members":[{"role":"master"}],"removed":[""]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBackup(data)
		if (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
		if b != nil && (b.ca == nil || b.key == nil) {
			t.Error("half a backup")
		}
	})
}
