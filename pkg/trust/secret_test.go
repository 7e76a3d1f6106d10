//go:build unix

package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// secretsOf returns every way in which these secrets could be written.
func secretsOf(t *testing.T, phrases []string, tokens []Token, keys ...ed25519.PrivateKey) map[string]string {
	t.Helper()
	out := map[string]string{}
	raw := func(name string, b []byte) {
		out[name] = string(b)
		out[name+", hex"] = hex.EncodeToString(b)
		out[name+", HEX"] = strings.ToUpper(hex.EncodeToString(b))
		out[name+", base64"] = base64.StdEncoding.EncodeToString(b[:len(b)/3*3]) // the same, whatever follows
		out[name+", JSON"] = strings.ReplaceAll(strings.Trim(fmt.Sprint(b), "[]"), " ", ",")
		out[name+", as numbers"] = strings.Trim(fmt.Sprint(b), "[]")
		out[name+", as Go"] = strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	}
	for _, p := range phrases {
		out["a passphrase"] = p
	}
	for i, tok := range tokens {
		raw(fmt.Sprintf("token %d", i), tok.Secret[:])
		// The text's last letters, which hold nothing but the secret and the sum.
		out[fmt.Sprintf("token %d, text", i)] = tok.String()[len(tok.String())-20:]
	}
	for i, k := range keys {
		raw(fmt.Sprintf("key %d", i), k.Seed())
		der, err := x509.MarshalPKCS8PrivateKey(k)
		must(t, der, err)
		out[fmt.Sprintf("key %d, PEM", i)] = base64.StdEncoding.EncodeToString(der)[20:60]
	}
	return out
}

// TestNoSecretIsShown: no error of this package, nor anything of it that falls into
// a log, has a secret in it, whatever goes wrong.
func TestNoSecretIsShown(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	tok, place := newToken(t, a, RoleNode), tokenFor(t, a, TokenOptions{Replace: "web1"})
	key := newKey(t)
	data := export(t, a)
	s, err := parseExport(data)
	must(t, s, err)
	b, err := s.open(phrase)
	must(t, b, err)

	var said bytes.Buffer
	say := func(what ...any) {
		for _, w := range what {
			fmt.Fprintf(&said, "%v\n%+v\n%#v\n%s\n%q\n%x\n%d\n", w, w, w, w, w, w, w)
			slog.New(slog.NewJSONHandler(&said, nil)).Info("log", "what", w)
			slog.New(slog.NewTextHandler(&said, nil)).Info("log", "what", w)
		}
	}
	say(tok, &tok, id, &id, a, a.Identity(), a.ListTokens(0, boot), a.Members(), Removed{}, struct {
		T  Token
		ID Identity
	}{tok, id})

	// Everything that can fail, with a secret in the hand.
	fails := 0
	fail := func(err error) {
		if err == nil {
			t.Error("nothing failed")
			return
		}
		fails++
		for e := err; e != nil; e = errors.Unwrap(e) {
			fmt.Fprintf(&said, "%v\n%+v\n%#v\n", e, e, e)
		}
	}
	text := tok.String()
	for _, broken := range []string{text[:len(text)-1], text[1:], text + "x", strings.Replace(text, text[70:72], "zz", 1), "x" + text[4:]} {
		_, err := ParseToken(broken)
		fail(err)
		fail(a.RevokeToken(broken))
	}
	fail(a.Remove(text))
	fail(a.Remove(tok.String()[4:]))
	_, err = a.CreateToken(0, boot, TokenOptions{Replace: text})
	fail(err)
	_, err = OpenAuthority(t.TempDir(), text)
	fail(err)
	for _, try := range []struct {
		tok  Token
		name string
		pub  []byte
		at   power.Uptime
	}{
		{tok, "web1", public(t, key), 0}, {tok, text, public(t, key), 0}, {tok, "web2", nil, 0}, {tok, "web2", key, 0},
		{tok, "web2", public(t, key), 1 << 60}, {place, "web2", public(t, key), 0}, {Token{}, "web2", public(t, key), 0},
	} {
		_, _, err := a.Admit(try.at, boot, try.tok.Secret[:], try.name, try.pub)
		fail(err)
	}
	_, err = NewIdentity(tok, key, a.ca.Raw, a.ca.Raw)
	fail(err)
	lim := NewLimiter()
	for range tryBurst {
		_ = lim.Try(0, nil, tok.Secret[:])
	}
	fail(lim.Try(0, nil, tok.Secret[:]))
	other := newAuthority(t)
	_, _, cerr, _ := shake(t, JoinTLS(tok, key), other.ServerTLS())
	fail(cerr)
	for _, p := range []string{phrase[:7], phrase + "!"} {
		_, err = a.export(p[:min(len(p), 7)], quick)
		fail(err)
		_, err = Import(t.TempDir(), p, data)
		fail(err)
	}
	_, err = Import(t.TempDir(), phrase, data[:len(data)-9])
	fail(err)
	join(t, other, "web9", RoleNode)
	_, err = Import(other.dir, phrase, data)
	fail(err)
	fail(spoilEverything(t, a, fail))

	if fails < 60 {
		t.Errorf("only %d errors were looked at", fails)
	}
	secrets := secretsOf(t, []string{phrase[:7]}, []Token{tok, place}, key, a.key, id.Certificate.PrivateKey.(ed25519.PrivateKey), a.id.Certificate.PrivateKey.(ed25519.PrivateKey))
	for name, secret := range secrets {
		if i := strings.Index(said.String(), secret); i >= 0 {
			t.Errorf("%s is shown: …%.200q", name, said.String()[max(0, i-80):])
		}
	}
	if _, found := secrets["key 3, base64"]; !found || !strings.Contains(said.String(), "lw1-(secret)") {
		t.Error("this test looks at nothing")
	}
}

// spoilEverything reads each file of a, spoilt in each way, and a real key in the
// wrong place.
func spoilEverything(t *testing.T, a *Authority, fail func(error)) error {
	t.Helper()
	for _, s := range spoil {
		for _, file := range []string{caFile, masterFile, rosterFile} {
			dir := copyDir(t, a.dir)
			if err := s.do(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
			_, err := OpenAuthority(dir, "rack1")
			fail(err)
		}
	}
	dir := copyDir(t, a.dir)
	ca, err := os.ReadFile(filepath.Join(dir, caFile))
	must(t, ca, err)
	for _, file := range []string{masterFile, rosterFile} {
		if err := os.WriteFile(filepath.Join(dir, file), ca, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenAuthority(dir, "rack1")
		fail(err)
	}
	_, err = LoadRemoved(dir) // nothing there: no error
	if err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, removedFile), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadRemoved(dir)
	return err
}

// TestHostileNames: nothing that a stranger chooses reaches a terminal, a log or a
// page as it is, by whatever way it comes.
func TestHostileNames(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	for _, name := range []string{
		"\x1b[2J", "web1\n", "web1\x00", "\u202eweb1", "<script>", "../../etc/passwd", "web1/..", "web1 ", "", ".", "..", "-rf",
		"ｗｅｂ１", strings.Repeat("a", 5000), "%s%n", `"`, "\u0085", "web1\u200b",
	} {
		_, serr := seenBy(t, a, asMember(t, a, name, RoleNode))
		tok := newToken(t, a, RoleNode)
		_, _, aerr := a.Admit(0, boot, tok.Secret[:], name, public(t, newKey(t)))
		_, rerr := a.CreateToken(0, boot, TokenOptions{Role: RoleNode, Replace: name + "\x1b"})
		key := newKey(t)
		cert, err := issue(a.ca, a.key, key.Public().(ed25519.PublicKey), name, RoleNode)
		must(t, cert, err)
		_, nerr := NewIdentity(Token{CA: a.CA()}, key, cert, a.ca.Raw)
		c, err := x509.ParseCertificate(cert)
		must(t, c, err)
		_, ierr := verify(web1.CA, []*x509.Certificate{c})
		for where, err := range map[string]error{
			"at the master": serr, "joining": aerr, "removing": a.Remove(name), "replacing": rerr, "a master's answer": nerr, "at a node": ierr,
		} {
			switch {
			case err == nil:
				t.Errorf("%s: %.40q is let in", where, name)
			case len(err.Error()) > 500:
				t.Errorf("%s: %.40q makes an error of %d bytes", where, name, len(err.Error()))
			case strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }):
				t.Errorf("%s: the error shows it: %q", where, err)
			}
		}
		if err := a.RevokeToken(name); !errors.Is(err, ErrNoToken) || len(err.Error()) > 500 {
			t.Errorf("revoking %.40q: %.100v", name, err)
		}
	}
}
