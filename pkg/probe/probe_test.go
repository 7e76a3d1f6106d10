package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a system that answers as it was told.
type fake struct {
	way, cannot, deaf error // ready's, echo's and neighbour's
	echoes            bool
	n                 neighbour
	roused            int
}

func (f *fake) ready(netip.Addr) error { return f.way }
func (f *fake) echo(context.Context, netip.Addr) (bool, error) {
	return f.echoes && f.cannot == nil, f.cannot
}
func (f *fake) rouse(netip.Addr) error                  { f.roused++; return nil }
func (f *fake) neighbour(netip.Addr) (neighbour, error) { return f.n, f.deaf }

var errFake = errors.New("not today")

func TestProbe(t *testing.T) {
	for name, tt := range map[string]struct {
		is     fake
		before bool // it has answered an echo before
		want   Answer
		err    bool
	}{
		"it echoes":                                {is: fake{echoes: true}, want: Answers},
		"it echoes, its address is unknown":        {is: fake{echoes: true, n: neighbour{state: missing}}, want: Answers},
		"no carrier":                               {is: fake{way: errFake, echoes: true}, before: true, err: true},
		"it ignores echoes":                        {is: fake{n: neighbour{proved, time.Second}}, want: Answers},
		"it ignored echoes, proved a minute ago":   {is: fake{n: neighbour{proved, time.Minute}}, want: Unknown},
		"it ignored echoes, not asked since":       {is: fake{n: neighbour{state: old}}, want: Unknown},
		"no hardware address":                      {is: fake{n: neighbour{state: missing}}, want: Silent},
		"it echoed before, not asked since":        {is: fake{n: neighbour{state: old}}, before: true, want: Silent},
		"it echoed before, proved a minute ago":    {is: fake{n: neighbour{proved, time.Minute}}, before: true, want: Silent},
		"it echoed before, proved now":             {is: fake{n: neighbour{proved, 0}}, before: true, want: Answers},
		"behind a router, it never echoed":         {want: Unknown},
		"behind a router, it echoed before":        {before: true, want: Silent},
		"the table can't be read":                  {is: fake{n: neighbour{proved, 0}, deaf: errFake}, want: Unknown},
		"the table can't be read, it echoed":       {is: fake{deaf: errFake}, before: true, want: Silent},
		"no echo can be sent, proved now":          {is: fake{cannot: errFake, n: neighbour{proved, 0}}, want: Answers},
		"no echo can be sent, no address":          {is: fake{cannot: errFake, n: neighbour{state: missing}}, want: Silent},
		"no echo can be sent, not asked since":     {is: fake{cannot: errFake, n: neighbour{state: old}}, before: true, want: Unknown},
		"no echo can be sent, and behind a router": {is: fake{cannot: errFake}, before: true, want: Unknown, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProber(&fake{echoes: true})
				if tt.before {
					if got, err := p.Probe(t.Context(), "192.0.2.1"); got != Answers || err != nil {
						t.Fatalf("%s, %v", got, err)
					}
				}
				is := tt.is
				p.sys = &is
				got, err := p.Probe(t.Context(), "::ffff:192.0.2.1")
				if got != tt.want || (err != nil) != tt.err {
					t.Errorf("%s, %v; want %s, an error: %t", got, err, tt.want, tt.err)
				}
				if roused := is.roused > 0; roused != (tt.is.cannot != nil && tt.is.way == nil) {
					t.Errorf("the kernel was made to ask: %t", roused)
				}
			})
		})
	}
}

func TestProbeOfNoAddress(t *testing.T) {
	for _, host := range []string{"", "web1", "192.0.2.1:80", "192.0.2"} {
		if got, err := newProber(&fake{echoes: true}).Probe(t.Context(), host); got != Unknown || err == nil {
			t.Errorf("of %q: %s, %v", host, got, err)
		}
	}
}

// A probe that is called off has found nothing.
func TestProbeCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newProber(&fake{n: neighbour{state: missing}})
	if got, err := p.Probe(ctx, "192.0.2.1"); got != Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestEcho(t *testing.T) {
	token := []byte("0123456789abcdef")
	for _, v6 := range []bool{false, true} {
		b := request(v6, token)
		if !v6 && checksum(b) != 0 { // RFC 1071 §1: with its checksum it sums up to nothing
			t.Error("the checksum is wrong")
		}
		if isReply(b, v6, false, token) {
			t.Error("a request is no answer")
		}
		reply := append([]byte(nil), b...)
		reply[0] = map[bool]byte{false: 0, true: 129}[v6]
		if !isReply(reply, v6, false, token) || isReply(reply, v6, false, []byte("another")) || isReply(reply, !v6, false, token) {
			t.Error("an answer is not told from others")
		}
		if header := append([]byte{0x45, 19: 0}, reply...); !v6 && !isReply(header, false, true, token) {
			t.Error("a raw answer is not understood")
		}
	}
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0x220d { // RFC 1071 §3's example, its complement
		t.Errorf("checksum %#x", got)
	}
	if checksum([]byte{1}) != ^uint16(0x0100) {
		t.Error("an odd end counts as the high byte")
	}
}

func FuzzIsReply(f *testing.F) {
	f.Add([]byte{0x4f, 0}, []byte("t"))
	f.Add(binary.BigEndian.AppendUint64(nil, 0x45), []byte{})
	f.Fuzz(func(_ *testing.T, p, token []byte) {
		for _, v6 := range []bool{false, true} {
			for _, raw := range []bool{false, true} {
				isReply(p, v6, raw, token)
			}
		}
	})
}
