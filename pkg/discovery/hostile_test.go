package discovery

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestHostileNames(t *testing.T) {
	tests := map[string]struct {
		name string
		ok   bool
	}{
		"plain":             {"web1", true},
		"dots and spaces":   {"web 1.rack", true},
		"other scripts":     {"сервер-机架-ä", true},
		"markup stays text": {"<script>", true},
		"backslash":         {`a\b"c`, true},
		"escape sequence":   {"web\x1b[2J", false},
		"line end":          {"web\nERROR", false},
		"carriage return":   {"web\r", false},
		"null":              {"web\x00", false},
		"delete":            {"web\x7f", false},
		"C1 control":        {"web\u009b31m", false},
		"right to left":     {"web\u202e1", false},
		"zero width":        {"web\u200b1", false},
		"line separator":    {"web\u2028", false},
		"not UTF-8":         {"web\xff", false},
		"half a character":  {"web\xc3", false},
		"replacement":       {"web\ufffd", false},
		"private use":       {"web\ue000", false},
		"no-break space":    {"web\u00a01", false},
		"longest":           {strings.Repeat("x", 63), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLAN()
				b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
				full := escapeLabel(tt.name) + "." + kindName
				l.stranger("10.0.0.1:5353", pack(t, true, kindName+" 120 IN PTR "+full, full+" 120 IN SRV 0 0 1 h.local.", "h.local. 120 IN A 10.0.0.1"))
				time.Sleep(time.Millisecond)
				var want []string
				if tt.ok {
					want = []string{tt.name}
				}
				if diff := cmp.Diff(want, names(b)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestHostileHostsAndDepths(t *testing.T) {
	for _, records := range [][]string{
		{kindName + " 120 IN PTR a.b." + kindName, "a.b." + kindName + " 120 IN SRV 0 0 1 h.local."},
		{kindName + " 120 IN PTR " + kindName, kindName + " 120 IN SRV 0 0 1 h.local."},
		{kindName + " 120 IN PTR web1._ipp._tcp.local.", "web1._ipp._tcp.local. 120 IN SRV 0 0 1 h.local."},
		{kindName + " 120 IN PTR web1._upsageny._tcp.local.", "web1._upsageny._tcp.local. 120 IN SRV 0 0 1 h.local."},
		{kindName + " 120 IN PTR .", ". 120 IN SRV 0 0 1 h.local."},
		{kindName + " 120 IN PTR " + fullName, fullName + ` 120 IN SRV 0 0 1 \027[2J.local.`, `\027[2J.local. 120 IN A 10.0.0.1`},
		{kindName + " 120 IN PTR " + fullName, fullName + ` 120 IN SRV 0 0 1 .`, `. 120 IN A 10.0.0.1`},
		{kindName + " 120 IN PTR " + fullName, fullName + ` 120 IN SRV 0 0 0 h.local.`},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLAN()
			b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
			l.stranger("10.0.0.1:5353", pack(t, true, append(records, "h.local. 120 IN A 10.0.0.1")...))
			time.Sleep(time.Millisecond)
			if got := b.Found(); len(got) != 0 {
				t.Errorf("%q: found %v", records, got)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := map[string]struct {
		in   []string
		want map[string]string
	}{
		"pairs":              {[]string{"a=b", "c=d=e"}, map[string]string{"a": "b", "c": "d=e"}},
		"the first counts":   {[]string{"a=1", "A=2"}, map[string]string{"a": "1"}},
		"no value":           {[]string{"a", "b="}, map[string]string{"a": "", "b": ""}},
		"no key":             {[]string{"=a", ""}, map[string]string{}},
		"escaped by the DNS": {[]string{`a=x\\y\"z\195\164`}, map[string]string{"a": `x\y"zä`}},
		"escape sequence":    {[]string{`a=\027[2J`, "b=c"}, map[string]string{"b": "c"}},
		"line end":           {[]string{`a=b\010`, "b=c"}, map[string]string{"b": "c"}},
		"key of escapes":     {[]string{`\027=x`, `\195\164=x`}, map[string]string{}},
		"not UTF-8":          {[]string{`a=\255`}, map[string]string{}},
		"too much":           {[]string{strings.Repeat("a", 1000) + "=b", "b=" + strings.Repeat("x", 100)}, map[string]string{strings.Repeat("a", 1000): "b"}},
		"ends in the middle": {[]string{`a=b\`, `c=\25`}, map[string]string{"a": `b\`, "c": "25"}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, decodeText(tt.in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	want := map[string]string{"id": "x", "v": `a\b"c`, "ü": "x"}
	delete(want, "ü")
	pairs, err := encodeText(want)
	if err != nil {
		t.Fatal(err)
	}
	// Through the wire and back.
	data, err := response([]dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: fullName, Rrtype: dns.TypeTXT, Class: 1}, Txt: pairs}}, nil, ttl)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(data)
	if err != nil || len(m.answers) != 1 {
		t.Fatal(m, err)
	}
	if diff := cmp.Diff(want, decodeText(m.answers[0].text)); diff != "" {
		t.Error(diff)
	}
}

func TestNumbered(t *testing.T) {
	long := strings.Repeat("ä", 31) // 62 bytes
	for _, tt := range []struct {
		name string
		n    int
		want string
	}{{"web1", 1, "web1"}, {"web1", 2, "web1-2"}, {long, 1, long}, {long, 10, strings.Repeat("ä", 30) + "-10"}} {
		if got := numbered(tt.name, tt.n); got != tt.want || len(got) > maxLabel || !utf8.ValidString(got) {
			t.Errorf("numbered(%q, %d) is %q, want %q", tt.name, tt.n, got, tt.want)
		}
	}
}

// FuzzPacket feeds two packets to all that reads packets. Whatever they are, nothing
// panics, nothing unprintable comes out and nothing grows beyond its bounds.
func FuzzPacket(f *testing.F) {
	f.Add(silent(f, "web1", "10.0.0.1", 120), silent(f, "web1", "10.0.0.1", 0))
	f.Add(ask(f, kindName, dns.TypePTR), ask(f, fullName, dns.TypeANY, func(m *dns.Msg) { m.Ns = []dns.RR{rr(f, fullName+" 120 IN SRV 0 0 1 a.local.")} }))
	f.Add(pack(f, true, kindName+` 120 IN PTR \027[2J.`+kindName), pack(f, true, fullName+" 1 IN TXT \"a=\\027\""))
	f.Add([]byte("\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x0c"), []byte{})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		now := time.Now()
		nw := &deaf{memory: newMemory()}
		nw.up = []link{{index: 1, name: "eth0", prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}}
		r := newResponder(nw, "00000000", slog.New(slog.DiscardHandler))
		r.configure(now, web1)
		r.relink(now)
		for range 4 {
			now = now.Add(time.Second)
			r.advance(now)
		}
		c := newCache([]string{KindAgent})
		c.relink(nw.up)
		for i, data := range [][]byte{one, two, one} {
			from := netip.MustParseAddrPort("10.0.0.7:5353")
			if i == 2 {
				from = netip.MustParseAddrPort("10.0.0.7:4000")
			}
			r.receive(now, packet{path: path{index: 1}, from: from, data: data})
			m, _ := parse(data)
			c.take(now, 1, m)
			r.advance(now)
			c.advance(now)
			now = now.Add(700 * time.Millisecond)
		}
		for _, i := range c.found() {
			for _, s := range append([]string{i.Name, i.Host}, fmt.Sprint(i.Text)) {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%q came out", s)
				}
			}
			if len(i.Addresses) == 0 || len(i.Addresses) > maxAddresses {
				t.Errorf("%d addresses", len(i.Addresses))
			}
		}
		for _, data := range nw.said {
			if m, err := parse(data); err != nil || len(data) > maxPacket {
				t.Errorf("we sent what we can't read: %v %v", m, err)
			}
		}
		if len(nw.said) > 40 {
			t.Errorf("%d packets were sent for three", len(nw.said))
		}
	})
}

// deaf keeps what is sent.
type deaf struct {
	*memory
	said [][]byte
}

func (d *deaf) send(_ path, _ netip.AddrPort, data []byte) error {
	d.said = append(d.said, data)
	return nil
}
