//go:build unix

package trust

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// tokenFor makes a token with any options.
func tokenFor(t *testing.T, a *Authority, o TokenOptions) Token {
	t.Helper()
	s, err := a.CreateToken(0, boot, o)
	must(t, s, err)
	tok, err := ParseToken(s)
	return must(t, tok, err)
}

// admit asks for name by a token with the key of id, if it has one, or a new one.
func admit(t *testing.T, a *Authority, tok Token, name string, id Identity) error {
	t.Helper()
	_, _, err := a.Admit(0, boot, tok.Secret[:], name, publicOf(t, id))
	return err
}

func publicOf(t *testing.T, id Identity) []byte {
	t.Helper()
	if id.Certificate.Leaf == nil {
		return public(t, newKey(t))
	}
	return id.Certificate.Leaf.RawSubjectPublicKeyInfo
}

// seenBy does a handshake with a's listener and says how a identifies the client.
func seenBy(t *testing.T, a *Authority, id Identity) (Peer, error) {
	t.Helper()
	_, srv, cerr, serr := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
	if cerr != nil || serr != nil {
		t.Fatalf("the handshake: %v, %v", cerr, serr)
	}
	return a.Identify(srv)
}

func reopen(t *testing.T, a *Authority) *Authority {
	t.Helper()
	b, err := OpenAuthority(a.dir, "rack1")
	return must(t, b, err)
}

func names(a *Authority) (out []string) {
	for _, m := range a.Members() {
		out = append(out, m.Name+" "+m.Role.String())
	}
	return out
}

// TestLaw08RemovedForGood: a removed key is cut off at once, on a connection that is
// open already too, and comes back neither as itself, by another name, by a new
// token, by the token that it used, nor by a restart of the master.
func TestLaw08RemovedForGood(t *testing.T) {
	a := newAuthority(t)
	join(t, a, "web2", RoleNode)
	tok, key := newToken(t, a, RoleNode), newKey(t)
	cert, ca, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key))
	must(t, cert, err)
	id, err := NewIdentity(tok, key, cert, ca)
	must(t, id, err)
	_, open, _, _ := shake(t, DialTLS(id, RoleMaster.ServerName()), a.ServerTLS())
	if _, err := a.Identify(open); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	for when, a := range map[string]*Authority{"at once": a, "after a restart": reopen(t, a)} {
		if _, err := a.Identify(open); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, on the open connection: %v", when, err)
		}
		if _, err := seenBy(t, a, id); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, on a new connection: %v", when, err)
		}
		if err := admit(t, a, tok, "web1", id); !errors.Is(err, ErrTokenUnknown) {
			t.Errorf("%s, by the token that it came with: %v", when, err)
		}
		for _, role := range []Role{RoleNode, RoleOperator} {
			for _, name := range []string{"web1", "web9"} {
				if err := admit(t, a, newToken(t, a, role), name, id); !errors.Is(err, ErrRemoved) {
					t.Errorf("%s, as %s %s by a new token: %v", when, role, name, err)
				}
			}
		}
		if err := admit(t, a, tokenFor(t, a, TokenOptions{Replace: "web2"}), "web2", id); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, in another's place: %v", when, err)
		}
		if diff := cmp.Diff([]string{fingerprint(public(t, key))}, a.Removed()); diff != "" {
			t.Errorf("%s, what agents are told (-want +got)\n%s", when, diff)
		}
		if diff := cmp.Diff([]string{"web2 node"}, names(a)); diff != "" {
			t.Errorf("%s, the roster (-want +got)\n%s", when, diff)
		}
	}
	// The name is free, for another key.
	if err := admit(t, a, newToken(t, a, RoleNode), "web1", Identity{}); err != nil {
		t.Errorf("the name of a removed node: %v", err)
	}
	for _, name := range []string{"web9", "rack1", "", "WEB1"} {
		if err := a.Remove(name); !errors.Is(err, ErrNoMember) {
			t.Errorf("removing %q: %v", name, err)
		}
	}
}

// TestLaw10RemovedWithoutADisk: a full or hanging disk does not keep anybody in, and
// the operator is told that it is not for good.
func TestLaw10RemovedWithoutADisk(t *testing.T) {
	a := newAuthority(t)
	id := join(t, a, "web1", RoleNode)
	if err := os.Rename(a.dir, a.dir+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove("web1"); err == nil || !strings.Contains(err.Error(), "remove it again") {
		t.Errorf("without a disk: %v", err)
	}
	if _, err := seenBy(t, a, id); !errors.Is(err, ErrRemoved) || len(a.Removed()) != 1 {
		t.Errorf("without a disk it is still in: %v", err)
	}
	if err := os.Rename(a.dir+".gone", a.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := seenBy(t, reopen(t, a), id); err != nil {
		t.Errorf("what was not on disk holds after a restart: %v", err)
	}
	if err := admit(t, a, newToken(t, a, RoleNode), "web1", id); !errors.Is(err, ErrRemoved) {
		t.Errorf("back by a new token: %v", err)
	}
	if err := a.Remove("web1"); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, err := seenBy(t, reopen(t, a), id); !errors.Is(err, ErrRemoved) {
		t.Errorf("after the second time: %v", err)
	}
	// A disk that hangs.
	web2 := join(t, a, "web2", RoleNode)
	_, srv, _, _ := shake(t, DialTLS(web2, RoleMaster.ServerName()), a.ServerTLS())
	synctest.Test(t, func(t *testing.T) {
		a.turn = make(chan struct{}, 1) // of this bubble
		a.turn <- struct{}{}
		if err := a.Remove("web2"); !errors.Is(err, ErrBusy) {
			t.Errorf("a hanging disk: %v", err)
		}
		if _, err := a.Identify(srv); !errors.Is(err, ErrRemoved) {
			t.Errorf("a hanging disk keeps it in: %v", err)
		}
	})
}

// TestReplace: the machine of web1 was set up anew. Its new key takes the place, the
// old one is removed in the same step.
func TestReplace(t *testing.T) {
	a := newAuthority(t)
	old, ann := join(t, a, "web1", RoleNode), join(t, a, "ann", RoleOperator)
	tok, key := tokenFor(t, a, TokenOptions{Replace: "web1"}), newKey(t)

	if err := admit(t, a, tok, "web2", Identity{}); !errors.Is(err, ErrTokenName) || !strings.Contains(err.Error(), "web1") {
		t.Errorf("as somebody else: %v", err)
	}
	if err := admit(t, a, tok, "web1", ann); !errors.Is(err, ErrKeyTaken) {
		t.Errorf("by another member's key: %v", err)
	}
	if _, err := seenBy(t, a, old); err != nil {
		t.Errorf("the old key is out before the new one is in: %v", err)
	}
	cert, ca, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key))
	must(t, cert, err)
	id, err := NewIdentity(tok, key, cert, ca)
	must(t, id, err)
	again, _, err := a.Admit(0, boot, tok.Secret[:], "web1", public(t, key))
	if err != nil || !bytes.Equal(cert, again) {
		t.Errorf("asked again: %v", err)
	}
	for when, a := range map[string]*Authority{"at once": a, "after a restart": reopen(t, a)} {
		if p, err := seenBy(t, a, id); err != nil || p.Name != "web1" || p.Role != RoleNode {
			t.Errorf("%s, the new key: %+v, %v", when, p, err)
		}
		if _, err := seenBy(t, a, old); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, the old key: %v", when, err)
		}
		if err := admit(t, a, tok, "web1", old); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, the old key by the same token: %v", when, err)
		}
		if err := admit(t, a, tokenFor(t, a, TokenOptions{Replace: "web1"}), "web1", old); !errors.Is(err, ErrRemoved) {
			t.Errorf("%s, the old key takes its place back: %v", when, err)
		}
	}
	// A machine that kept its key takes its own place: nothing is removed.
	if err := admit(t, a, tokenFor(t, a, TokenOptions{Replace: "ann"}), "ann", ann); err != nil {
		t.Errorf("the same key: %v", err)
	}
	if diff := cmp.Diff([]string{fingerprint(publicOf(t, old))}, a.Removed()); diff != "" {
		t.Errorf("the list of removed keys (-want +got)\n%s", diff)
	}
	if p, err := seenBy(t, a, ann); err != nil || p.Role != RoleOperator {
		t.Errorf("the operator: %+v, %v", p, err)
	}
	for _, o := range []TokenOptions{{Replace: "web9"}, {Replace: "rack1"}, {Replace: "ann", Role: RoleNode}, {Replace: "web 1"}} {
		if s, err := a.CreateToken(0, boot, o); err == nil || s != "" {
			t.Errorf("a token was made for %+v", o)
		}
	}
}

// TestReplaceTokensThatAreLate: a token replaces the key that was there when it was
// made, and no other.
func TestReplaceTokensThatAreLate(t *testing.T) {
	a := newAuthority(t)
	join(t, a, "web1", RoleNode)
	first, second := tokenFor(t, a, TokenOptions{Replace: "web1"}), tokenFor(t, a, TokenOptions{Replace: "web1"})
	if err := admit(t, a, first, "web1", Identity{}); err != nil {
		t.Fatal(err)
	}
	if err := admit(t, a, second, "web1", Identity{}); !errors.Is(err, ErrTokenEnded) {
		t.Errorf("the second token takes the place of the first one's key: %v", err)
	}
	third := tokenFor(t, a, TokenOptions{Replace: "web1"})
	if err := a.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	if err := admit(t, a, third, "web1", Identity{}); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("in the place of one who was sent away: %v", err)
	}
}

// TestReplaceRace: of many that come with one token one wins, and nobody is both
// in and out; a removal at the same time wins over all.
func TestReplaceRace(t *testing.T) {
	a := newAuthority(t)
	join(t, a, "web1", RoleNode)
	tok := tokenFor(t, a, TokenOptions{Replace: "web1"})
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		pub := public(t, newKey(t))
		wg.Go(func() {
			if _, _, err := a.Admit(0, boot, tok.Secret[:], "web1", pub); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || len(a.Members()) != 1 || len(a.Removed()) != 1 {
		t.Errorf("%d won, %v are in, %d are out", won.Load(), names(a), len(a.Removed()))
	}
	for range 20 {
		a := newAuthority(t)
		join(t, a, "web1", RoleNode)
		tok, pub := tokenFor(t, a, TokenOptions{Replace: "web1"}), public(t, newKey(t))
		wg.Go(func() { _, _, _ = a.Admit(0, boot, tok.Secret[:], "web1", pub) })
		wg.Go(func() {
			if err := a.Remove("web1"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, a := range []*Authority{a, reopen(t, a)} {
			if len(a.Members()) != 0 {
				t.Errorf("removed, and in: %v", names(a))
			}
		}
	}
}

// TestSecondClaimant: who holds a token and wants a name that another key has is
// told from everybody else who is refused, and the first one stays.
func TestSecondClaimant(t *testing.T) {
	a := newAuthority(t)
	web1 := join(t, a, "web1", RoleNode)
	for _, role := range []Role{RoleNode, RoleOperator, RoleViewer} {
		if err := admit(t, a, newToken(t, a, role), "web1", Identity{}); !errors.Is(err, ErrNameTaken) {
			t.Errorf("a second web1, as %s: %v", role, err)
		}
	}
	// A copied disk: the same key under a second name would be two machines that
	// can pass for each other.
	if err := admit(t, a, newToken(t, a, RoleNode), "web2", web1); !errors.Is(err, ErrKeyTaken) {
		t.Errorf("the key of web1 as web2: %v", err)
	}
	if p, err := seenBy(t, a, web1); err != nil || p.Name != "web1" || len(a.Members()) != 1 {
		t.Errorf("the first one: %+v, %v, %v", p, err, names(a))
	}
}

func TestListAndRevoke(t *testing.T) {
	a := newAuthority(t)
	join(t, a, "ann", RoleOperator) // its token is used, and ends in 15 minutes
	node := tokenFor(t, a, TokenOptions{Role: RoleNode, TTL: time.Hour})
	place := tokenFor(t, a, TokenOptions{Replace: "ann", TTL: time.Minute})
	at := power.Uptime(30 * time.Second)
	list := a.ListTokens(at, boot)
	if len(list) != 3 {
		t.Fatalf("got %+v", list)
	}
	ids := make([]string, 3)
	for i := range list {
		ids[i], list[i].ID = list[i].ID, ""
	}
	want := []TokenInfo{
		{Role: RoleOperator, Left: 30 * time.Second, Replace: "ann"},
		{Role: RoleOperator, Left: 14*time.Minute + 30*time.Second, UsedBy: "ann"},
		{Role: RoleNode, Left: time.Hour - 30*time.Second},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
	for _, id := range ids {
		if len(id) != 2*idSize || strings.Contains(place.String()+node.String(), id) {
			t.Errorf("%q names a token", id)
		}
	}
	if n := len(a.ListTokens(power.Uptime(15*time.Minute), boot)); n != 1 {
		t.Errorf("%d are left after 15 minutes", n)
	}
	if n := len(a.ListTokens(at, "boot-2")); n != 0 {
		t.Errorf("%d are left after a boot", n)
	}
	// By id, by the whole text, in capitals.
	if err := a.RevokeToken(strings.ToUpper(ids[0])); err != nil {
		t.Error(err)
	}
	if err := a.RevokeToken(" " + node.String() + "\n"); err != nil {
		t.Error(err)
	}
	for _, tok := range []Token{place, node} {
		if err := admit(t, reopen(t, a), tok, "ann", Identity{}); !errors.Is(err, ErrTokenUnknown) {
			t.Errorf("a revoked token: %v", err)
		}
	}
	for _, id := range []string{ids[0], "", "0", "zzzzzzzz", node.String(), ids[1][:4]} {
		if err := a.RevokeToken(id); !errors.Is(err, ErrNoToken) {
			t.Errorf("revoking %q: %v", id, err)
		}
	}
	if err := a.RevokeToken(ids[1]); err != nil || !slices.Equal(names(a), []string{"ann operator"}) {
		t.Errorf("revoking a used one: %v; in are %v", err, names(a))
	}
}
