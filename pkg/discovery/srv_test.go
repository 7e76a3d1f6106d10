package discovery

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// resolver is one that asks a server of ours.
func resolver(t *testing.T, zone map[string][]string) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, text := range zone[q.Question[0].Name] {
			m.Answer = append(m.Answer, rr(t, q.Question[0].Name+" 60 IN SRV "+text))
		}
		if len(m.Answer) == 0 {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})
	server := &dns.Server{PacketConn: conn, Handler: handler}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestLookupSRV(t *testing.T) {
	r := resolver(t, map[string][]string{
		"_upsmaster._tcp.example.org.":  {"20 0 8493 b.example.org.", "10 0 9000 a.example.org."},
		"_upsmaster._tcp.none.example.": {"0 0 0 ."},
	})
	got, err := lookupSRV(t.Context(), r, "example.org.")
	if diff := cmp.Diff([]string{"a.example.org:9000", "b.example.org:8493"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for domain, want := range map[string]string{"none.example.": "names no master", "absent.example.": "no such host"} {
		if got, err := lookupSRV(t.Context(), r, domain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v and %v, want %q", domain, got, err, want)
		}
	}
}
