package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestConflicts(t *testing.T) {
	tests := map[string]time.Duration{
		"one after the other": settled,
		"at once":             0,
		"a probe apart":       300 * time.Millisecond,
	}
	for name, apart := range tests {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					l := newLAN()
					var all []*Announcer
					for i := range 3 {
						a, _ := announce(t, on(l, fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("fe80::%d/64", i+1)), web1)
						all = append(all, a)
						time.Sleep(apart)
					}
					b, _ := browse(t, on(l, "10.0.0.9/24", "fe80::9/64"), KindAgent)
					time.Sleep(time.Minute)
					var got []string
					for _, a := range all {
						got = append(got, a.Name())
					}
					if apart == settled {
						if diff := cmp.Diff([]string{"web1", "web1-2", "web1-3"}, got); diff != "" {
							t.Error("who came first keeps the name:", diff)
						}
					}
					slices.Sort(got)
					if diff := cmp.Diff([]string{"web1", "web1-2", "web1-3"}, got); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(got, names(b)); diff != "" {
						t.Error("found:", diff)
					}
				})
			}
		})
	}
}

func TestTwoLANsBecomeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, other := newLAN(), newLAN()
		m := on(other, "10.0.0.2/24")
		a, _ := announce(t, on(l, "10.0.0.1/24"), web1)
		b, _ := announce(t, m, web1)
		found, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		time.Sleep(settled)
		if a.Name() != "web1" || b.Name() != "web1" {
			t.Fatalf("names %s and %s before", a.Name(), b.Name())
		}
		m.plug(l, 2, "eth1", "10.0.0.2/24")
		m.unplug(1)
		time.Sleep(time.Minute)
		got := []string{a.Name(), b.Name()}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"web1", "web1-2"}, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(got, names(found)); diff != "" {
			t.Error("found:", diff)
		}
	})
}

// A machine hears itself: by loopback, late, and by a second interface on one LAN.
func TestNobodyIsInConflictWithItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24", "fe80::1/64")
		m.plug(l, 2, "eth1", "10.0.0.2/24", "fe80::2/64")
		a, _ := announce(t, m, web1)
		time.Sleep(300 * time.Millisecond) // while it probes
		for port := range 20 {
			s := web1
			s.Port = 9000 + port
			a.Set(s)
			time.Sleep(100 * time.Millisecond)
		}
		for _, s := range l.by(m) { // old packets
			l.stranger("10.0.0.7:5353", s.data)
		}
		time.Sleep(time.Minute)
		if a.Name() != "web1" {
			t.Errorf("the name is %s", a.Name())
		}
	})
}

func TestWhoTakesEveryNameIsNotFollowedInHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		a, _ := announce(t, m, web1)
		for range 6000 { // ten minutes
			rogue := pack(t, true, fmt.Sprintf("%s.%s 120 IN SRV 0 0 1 rogue.local.", a.Name(), kindName))
			for range 10 {
				l.stranger("10.0.0.66:5353", rogue)
			}
			time.Sleep(100 * time.Millisecond)
		}
		var number int
		// Ten at once, and then one in five seconds.
		if _, err := fmt.Sscanf(a.Name(), "web1-%d", &number); err != nil || number > 10+600/5+2 {
			t.Errorf("after ten minutes the name is %s", a.Name())
		}
		if n := len(l.by(m)); n > 400 {
			t.Errorf("%d packets in ten minutes", n)
		}
		time.Sleep(settled * 2)
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		time.Sleep(settled)
		if got := names(b); len(got) != 1 || got[0] != a.Name() {
			t.Errorf("found %q, the name is %q", got, a.Name())
		}
	})
}

func TestAForeignGoodbyeMakesNobodyForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		announce(t, m, web1)
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		time.Sleep(settled)
		host := b.Found()[0].Host
		<-b.Changed()
		for _, goodbye := range []string{
			kindName + " 0 IN PTR " + fullName,
			"!" + fullName + " 0 IN SRV 10 1 8494 " + host + ".",
			"!" + host + ". 0 IN A 10.0.0.1",
			kindName + " 1 IN PTR " + fullName,
		} {
			l.stranger("10.0.0.66:5353", pack(t, true, goodbye))
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				if len(b.Found()) != 1 {
					t.Fatalf("gone after a foreign %q", goodbye)
				}
			}
		}
	})
}

func TestSetAnnouncesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		a, _ := announce(t, m, web1)
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		time.Sleep(settled)
		l.by(m)
		a.Set(web1) // nothing new
		time.Sleep(settled)
		if got := l.by(m); len(got) != 0 {
			t.Errorf("it says the same again: %v", list(got[0].msg))
		}
		s := web1
		s.Port, s.Text = 9999, map[string]string{"joined": "yes"}
		a.Set(s)
		time.Sleep(100 * time.Millisecond)
		if got := b.Found(); len(got) != 1 || got[0].Text["joined"] != "yes" || got[0].Addresses[0].Port() != 9999 {
			t.Errorf("found %v after 100 ms", got)
		}
		time.Sleep(2 * time.Second)
		if got := l.by(m); len(got) != 2 {
			t.Errorf("%d announcements, want 2", len(got))
		}
		s.Name = "db1"
		a.Set(s)
		time.Sleep(3 * time.Second)
		if diff := cmp.Diff([]string{"db1"}, names(b)); diff != "" {
			t.Error("after another name:", diff)
		}
	})
}

func TestEachLANHearsItsOwnAddressesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := newLAN(), newLAN()
		m := on(left, "10.0.0.1/24", "fe80::1/64", "2001:db8:1::1/64")
		m.plug(right, 2, "eth1", "192.168.7.1/24", "fe80::2/64")
		announce(t, m, web1)
		b := on(left, "10.0.0.9/24", "fe80::9/64")
		b.plug(right, 2, "eth1", "192.168.7.9/24", "fe80::a/64")
		found, _ := browse(t, b, KindAgent)
		time.Sleep(settled)
		got := map[string]string{}
		for _, i := range found.Found() {
			got[i.Interface] = fmt.Sprint(i.Addresses)
		}
		want := map[string]string{
			"eth0": "[10.0.0.1:8494 [2001:db8:1::1]:8494 [fe80::1%eth0]:8494]",
			"eth1": "[192.168.7.1:8494 [fe80::2%eth1]:8494]",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInterfacesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m, n := newMemory(), newMemory()
		a, _ := announce(t, m, web1)
		b, _ := browse(t, n, KindAgent)
		time.Sleep(time.Second)
		if a.Err() == nil || b.Err() == nil {
			t.Error("no interface, and no error")
		}
		m.plug(l, 1, "eth0", "10.0.0.1/24")
		n.plug(l, 1, "eth0", "10.0.0.9/24")
		time.Sleep(2 * time.Second)
		if len(b.Found()) != 1 || a.Err() != nil || b.Err() != nil {
			t.Errorf("found %v, errors %v and %v, with interfaces", b.Found(), a.Err(), b.Err())
		}
		<-b.Changed()
		n.unplug(1)
		<-b.Changed()
		if len(b.Found()) != 0 {
			t.Errorf("found %v without an interface", b.Found())
		}
		n.plug(l, 5, "eth0", "10.0.0.9/24")
		time.Sleep(1200 * time.Millisecond) // a second if it was said just now
		if len(b.Found()) != 1 {
			t.Errorf("found %v 1.2 s after the interface came back", b.Found())
		}
		// The machine moves to another address: told at once, the old one gone with the
		// second announcement, unless it was said a second ago.
		m.plug(l, 1, "eth0", "10.0.0.77/24")
		time.Sleep(2300 * time.Millisecond)
		if got := fmt.Sprint(b.Found()[0].Addresses); got != "[10.0.0.77:8494]" {
			t.Errorf("addresses %s after a move", got)
		}
	})
}

func TestWhatCannotBeSentIsSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m, n := on(l, "fe80::1/64"), on(l, "fe80::9/64")
		m.silent, n.silent = true, true // the kernel still checks the address
		announce(t, m, web1)
		b, _ := browse(t, n, KindAgent)
		time.Sleep(time.Minute)
		l.began = time.Now()
		for _, x := range []*memory{m, n} {
			x.mu.Lock()
			x.silent = false
			x.mu.Unlock()
		}
		time.Sleep(2 * time.Second)
		if len(b.Found()) != 1 {
			t.Errorf("found %v", b.Found())
		}
		probed := 0
		for _, s := range l.by(m) {
			if !s.msg.response {
				probed++
			}
		}
		if probed != probes {
			t.Errorf("%d probes that could be sent, want %d", probed, probes)
		}
		if asked := l.by(n); len(asked) == 0 || asked[0].at > failedSend {
			t.Errorf("asked %d times", len(asked))
		}
	})
}

func TestWhatCannotBeAnnounced(t *testing.T) {
	tests := map[string]func(*Service){
		"port":           func(s *Service) { s.Port = 0 },
		"kind":           func(s *Service) { s.Kind = "http" },
		"name":           func(s *Service) { s.Name = "" },
		"\\x1b[2J":       func(s *Service) { s.Name = "a\x1b[2J" },
		"more than 63":   func(s *Service) { s.Name = strings.Repeat("x", 64) },
		"key":            func(s *Service) { s.Text = map[string]string{"a=b": "c"} },
		"printable":      func(s *Service) { s.Text = map[string]string{"a": "\n"} },
		"more than 255":  func(s *Service) { s.Text = map[string]string{"a": strings.Repeat("x", 254)} },
		"that much text": func(s *Service) { s.Text = bigText() },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLAN()
				m := on(l, "10.0.0.1/24")
				s := web1
				change(&s)
				a, _ := announce(t, m, s)
				time.Sleep(settled)
				if err := a.Err(); err == nil || !strings.Contains(err.Error(), "cannot announce") {
					t.Errorf("the error is %v", err)
				}
				if got := l.by(m); len(got) > 0 {
					t.Errorf("announced %v", list(got[0].msg))
				}
				a.Set(web1) // and it can be mended
				time.Sleep(settled)
				if err := a.Err(); err != nil || len(l.by(m)) != 5 {
					t.Errorf("not announced after all: %v", err)
				}
			})
		})
	}
}

func bigText() map[string]string {
	out := map[string]string{}
	for i := range 10 {
		out[fmt.Sprint("k", i)] = strings.Repeat("x", 110)
	}
	return out
}

func TestProbesAreAnsweredAtOnce(t *testing.T) {
	probe := ask(t, fullName, dns.TypeANY, func(m *dns.Msg) { m.Ns = []dns.RR{rr(t, fullName+" 120 IN SRV 0 0 1 other.local.")} })
	got := answers(t, "10.0.0.9:5353", time.Second, probe, probe, probe)
	if len(got) != 1 || got[0].at != 0 || got[0].msg.answers[0].rtype != dns.TypeSRV {
		t.Errorf("a probe for our name is answered by %v, want one answer at once", got)
	}
}

func TestTwoProbeAtOnce(t *testing.T) {
	claim := func(text string) []byte {
		return ask(t, fullName, dns.TypeANY, func(m *dns.Msg) {
			m.Ns = []dns.RR{rr(t, fullName+" 120 IN SRV 65535 0 1 other.local."), rr(t, fullName+" 120 IN TXT "+text)}
		})
	}
	// A TXT record sorts before an SRV record, and a shorter string before a longer.
	for name, tt := range map[string]struct {
		claim []byte
		waits bool
	}{"they claim more": {claim(`"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"`), true}, "they claim less": {claim(`""`), false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLAN()
				m := on(l, "10.0.0.1/24")
				announce(t, m, web1)
				time.Sleep(300 * time.Millisecond) // one or two probes
				l.by(m)
				l.began = time.Now()
				l.stranger("10.0.0.2:5353", tt.claim)
				time.Sleep(settled)
				next := l.by(m)[0].at
				if waited := next == time.Second; waited != tt.waits || !waited && next > probeEvery {
					t.Errorf("the next probe comes after %v", next)
				}
			})
		})
	}
}

// Another address may be another LAN: an old one's question times mean nothing there.
func TestAnotherAddressIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.9/24")
		browse(t, m, KindAgent)
		time.Sleep(45 * time.Second) // the next question comes at 100 s
		l.by(m)
		m.mu.Lock()
		m.up = []link{{index: 1, name: "eth0", prefixes: []netip.Prefix{netip.MustParsePrefix("10.7.0.9/24")}}}
		m.mu.Unlock()
		poke(m.wake)
		time.Sleep(15 * time.Second)
		if n := len(l.by(m)); n != 4 {
			t.Errorf("%d questions, want those at 0, 1, 4 and 13 s", n)
		}
	})
}
