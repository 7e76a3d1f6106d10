package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// clocks are what a machine may believe the time is.
var clocks = map[string]time.Time{
	"no battery":              time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC),
	"after 31 bits":           time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
	"a day ahead":             time.Now().Add(24 * time.Hour),
	"a day behind":            time.Now().Add(-24 * time.Hour),
	"a far too modern system": time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
}

// TestLaw01AnyClockOnAnySide: even if a clock were asked, its answer would not
// matter: each side of each kind of connection with each clock, all pairs.
func TestLaw01AnyClockOnAnySide(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	at := func(c *tls.Config, now time.Time) *tls.Config {
		c.Time = func() time.Time { return now }
		return c
	}
	for cname, cnow := range clocks {
		for sname, snow := range clocks {
			for kind, pair := range map[string][2]*tls.Config{
				"joining":        {JoinTLS(tok, key), a.ServerTLS()},
				"node to master": {DialTLS(web1, RoleMaster.ServerName()), a.ServerTLS()},
				"master to node": {DialTLS(a.Identity(), RoleNode.ServerName()), ServeTLS(web1)},
			} {
				if _, _, cerr, serr := shake(t, at(pair[0], cnow), at(pair[1], snow)); cerr != nil || serr != nil {
					t.Errorf("%s, client %s, server %s: %v, %v", kind, cname, sname, cerr, serr)
				}
			}
		}
	}
}

// TestLaw01ClockOfABubble: the whole way on plain time, at the bubble's own time (the
// year 2000), a day on, and after 31 bits; what was made at one is good at all.
func TestLaw01ClockOfABubble(t *testing.T) {
	dir := t.TempDir()
	var made []Identity
	synctest.Test(t, func(t *testing.T) {
		for i, until := range []time.Time{time.Now(), time.Now().Add(24 * time.Hour), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC)} {
			time.Sleep(time.Until(until))
			a, err := OpenAuthority(filepath.Join(dir, "trust"), "rack1")
			must(t, a, err)
			made = append(made, join(t, a, fmt.Sprintf("web%d", i), RoleNode))
			for _, id := range made {
				srv, err := pipe(DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
				if err != nil {
					t.Errorf("in %v: %v", until, err)
				} else if _, err := a.Identify(srv); err != nil {
					t.Errorf("in %v: %v", until, err)
				}
			}
		}
	})
	// Back in our time, which is before the last one's.
	a, err := OpenAuthority(filepath.Join(dir, "trust"), "rack1")
	must(t, a, err)
	for _, id := range made {
		if _, srv, cerr, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS()); cerr != nil {
			t.Error(cerr)
		} else if _, err := a.Identify(srv); err != nil {
			t.Error(err)
		}
	}
}

// pipe is shake without a network, for a bubble. It only knows what goes well: an
// alert would wait for ever.
func pipe(client, server *tls.Config) (tls.ConnectionState, error) {
	near, far, done := newPipe()
	defer done()
	srv := tls.Server(far, server)
	errs := make(chan error, 1)
	go func() { errs <- srv.Handshake() }()
	if err := tls.Client(near, client).Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	return srv.ConnectionState(), <-errs
}

// TestLaw01NoClockInTheSource: nothing here can ask what time it is.
func TestLaw01NoClockInTheSource(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, files, err)
	// A timer counts time that passes; it knows no date.
	bad := []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker"}
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		seen++
		text, err := os.ReadFile(name)
		must(t, text, err)
		f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		must(t, f, err)
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(bad, sel.Sel.Name) {
					t.Errorf("%s: time.%s", name, sel.Sel.Name)
				}
			}
			// A verification without CurrentTime asks the clock (crypto/x509).
			if lit, ok := n.(*ast.CompositeLit); ok {
				if sel, ok := lit.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "VerifyOptions" && !hasField(lit, "CurrentTime") ||
					ok && sel.Sel.Name == "Config" && !hasField(lit, "Time") {
					t.Errorf("%s: a %s without its time", name, sel.Sel.Name)
				}
			}
			return true
		})
	}
	if seen < 10 {
		t.Errorf("%d files were read", seen)
	}
	var _ x509.VerifyOptions
}

func hasField(lit *ast.CompositeLit, field string) bool {
	return slices.ContainsFunc(lit.Elts, func(e ast.Expr) bool {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		id, ok := kv.Key.(*ast.Ident)
		return ok && id.Name == field
	})
}
