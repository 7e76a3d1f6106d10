package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// authority makes a rack's CA.
func authority(t *testing.T) *trust.Authority {
	t.Helper()
	a, err := trust.OpenAuthority(t.TempDir(), "rack1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// member admits a new key to a.
func member(t *testing.T, a *trust.Authority, name string) trust.Identity {
	t.Helper()
	text, err := a.CreateToken(power.Uptime(0), "boot", trust.TokenOptions{Role: trust.RoleNode})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := trust.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := trust.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := trust.PublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, ca, err := a.Admit(power.Uptime(0), "boot", tok.Secret[:], name, pub)
	if err != nil {
		t.Fatal(err)
	}
	id, err := trust.NewIdentity(tok, key, cert, ca)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestLaw08AddressesAreHints: whoever spoofs announcements and answers first gets a
// handshake that fails, and delays nobody.
func TestLaw08AddressesAreHints(t *testing.T) {
	mine, rogue := authority(t), authority(t)
	web := member(t, mine, "web1")
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*tls.Config{
			"right:1":  mine.ServerTLS(),
			"rogue:1":  rogue.ServerTLS(),   // another CA
			"member:1": trust.ServeTLS(web), // of the rack, and no master
			"silent:1": nil,                 // takes the connection and says nothing
			"hangs:1":  {Certificates: nil}, // never answers the dial
		}
		listeners := map[string]*bufconn.Listener{}
		for name, cfg := range servers {
			l := bufconn.Listen(1 << 16)
			listeners[name] = l
			defer func() { _ = l.Close() }()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					if cfg == nil {
						continue
					}
					cfg := cfg.Clone()
					cfg.NextProtos = []string{"h2"}
					go func() { _ = tls.Server(c, cfg).HandshakeContext(t.Context()) }()
				}
			}()
		}
		dial := func(ctx context.Context, _, address string) (net.Conn, error) {
			if address == "hangs:1" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if listeners[address] == nil {
				return nil, errors.New("connection refused")
			}
			return listeners[address].DialContext(ctx)
		}
		cfg := trust.DialTLS(web, trust.RoleMaster.ServerName())
		began := time.Now()
		got, err := Reach(t.Context(), []string{"hangs:1", "rogue:1", "member:1", "silent:1", "gone:1", "right:1"}, cfg, dial)
		if err != nil || got != "right:1" {
			t.Errorf("reached %q, %v; want right:1", got, err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("those that lie or hang delayed it by %s", took)
		}
		_, err = Reach(t.Context(), []string{"hangs:1", "rogue:1", "member:1"}, cfg, dial)
		if err == nil || !strings.Contains(err.Error(), "rogue:1: ") {
			t.Errorf("err %v, want what each address did", err)
		}
		if took := time.Since(began); took != reachLimit {
			t.Errorf("nobody was right, and that took %s, want %s", took, reachLimit)
		}
		if _, err := Reach(t.Context(), nil, cfg, dial); err == nil {
			t.Error("reached a master without an address")
		}
		if got, err := Reach(t.Context(), []string{"hangs:1"}, cfg, dial); err != nil || got != "hangs:1" {
			t.Errorf("one address is %q, %v; want it untried", got, err)
		}
	})
}

func TestNodeAddress(t *testing.T) {
	remote := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 5555}
	for _, tt := range []struct {
		listen string
		remote net.Addr
		want   string
	}{
		{":8494", remote, "192.0.2.7:8494"},
		{"0.0.0.0:8494", remote, "192.0.2.7:8494"},
		{"[::]:8494", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "[fe80::1%eth0]:8494"},
		{"10.1.2.3:8494", remote, "192.0.2.7:8494"}, // somebody else's, or its own: it is asked where it came from
		{"", remote, ""},
		{"nonsense", remote, ""},
		{":8494", nil, ""},
	} {
		if got := NodeAddress(tt.listen, tt.remote); got != tt.want {
			t.Errorf("%q from %v is asked at %q, want %q", tt.listen, tt.remote, got, tt.want)
		}
	}
}
