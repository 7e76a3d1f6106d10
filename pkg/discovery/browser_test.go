package discovery

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// silent is what an instance says once, and never again.
func silent(t testing.TB, name, addr string, life int) []byte {
	return pack(t, true,
		fmt.Sprintf("%s %d IN PTR %s.%s", kindName, life, name, kindName),
		fmt.Sprintf("!%s.%s %d IN SRV 0 0 8494 %s.local.", name, kindName, life, name),
		fmt.Sprintf("!%s.%s %d IN TXT \"id=%s\"", name, kindName, life, name),
		fmt.Sprintf("!%s.local. %d IN A %s", name, life, addr))
}

func TestQuestionsComeLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.9/24", "fe80::9/64")
		browse(t, m, KindAgent, KindMaster)
		time.Sleep(230 * time.Second)
		var at [2][]time.Duration
		for _, s := range l.by(m) {
			i := 0
			if s.path.v6 {
				i = 1
			}
			at[i] = append(at[i], s.at)
			if len(s.msg.questions) != 2 || s.msg.questions[0].name != kindName || s.msg.questions[1].name != KindMaster+".local." || s.msg.questions[0].class != dns.ClassINET {
				t.Errorf("asked %v", s.msg.questions)
			}
		}
		for i := range at {
			first := at[i][0]
			if first < 20*time.Millisecond || first > 120*time.Millisecond {
				t.Errorf("the first question came after %v", first)
			}
			var got []int
			for _, d := range at[i] {
				got = append(got, int((d - first).Seconds()))
			}
			if diff := cmp.Diff([]int{0, 1, 4, 13, 40, 100, 160, 220}, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestInstancesExpireAfterThreeQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.9/24")
		b, _ := browse(t, m, KindAgent)
		time.Sleep(41 * time.Second) // the next question comes at 100 s
		l.by(m)
		l.began = time.Now()
		l.stranger("10.0.0.1:5353", silent(t, "web1", "10.0.0.1", 50))
		time.Sleep(time.Millisecond)
		if diff := cmp.Diff([]string{"web1"}, names(b)); diff != "" {
			t.Fatal(diff)
		}
		<-b.Changed()
		time.Sleep(50*time.Second - 2*time.Millisecond)
		if len(b.Found()) != 1 {
			t.Error("forgotten before its time")
		}
		var got []time.Duration
		for _, s := range l.by(m) {
			got = append(got, s.at)
			if len(s.msg.answers) != 0 || len(s.msg.questions) != 1 || s.msg.questions[0].name != kindName {
				t.Errorf("asked %v with %v known", s.msg.questions, list(s.msg))
			}
		}
		if diff := cmp.Diff([]time.Duration{40e9, 45e9, 47500e6}, got); diff != "" {
			t.Error(diff)
		}
		<-b.Changed()
		if d := time.Since(l.began); d != 50*time.Second || len(b.Found()) != 0 {
			t.Errorf("%v left after %v", b.Found(), d)
		}
		if n := len(b.cache.entries) + len(b.cache.hosts); n != 0 {
			t.Errorf("%d entries are left behind", n)
		}
	})
}

func TestWhoLivesIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24", "fe80::1/64")
		announce(t, m, web1)
		b, _ := browse(t, on(l, "10.0.0.9/24", "fe80::9/64"), KindAgent)
		time.Sleep(settled)
		<-b.Changed()
		l.by(m)
		time.Sleep(24 * time.Hour)
		select {
		case <-b.Changed():
			t.Error("something changed in a day when nothing did")
		default:
		}
		if n := len(l.by(m)); n > 2*24*60*2 {
			t.Errorf("%d answers in a day: known answers are not left out", n)
		}
		if len(b.Found()) != 1 {
			t.Error("lost")
		}
	})
}

func TestWhoDiesOrLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m, n := on(l, "10.0.0.1/24"), on(l, "10.0.0.2/24")
		_, leave := announce(t, m, web1)
		announce(t, n, Service{Kind: KindAgent, Name: "web2", Port: 1})
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		time.Sleep(settled)
		<-b.Changed()
		began := time.Now()
		leave()
		n.unplug(1)
		<-b.Changed()
		if d := time.Since(began); d != time.Second || !cmp.Equal(names(b), []string{"web2"}) {
			t.Errorf("%q are left %v after a goodbye, want web2 after 1 s", names(b), d)
		}
		<-b.Changed()
		if d := time.Since(began); d > 120*time.Second || len(b.Found()) != 0 {
			t.Errorf("%q are left after %v", names(b), d)
		}
	})
}

func TestAThousandResponders(t *testing.T) {
	tests := map[string]struct {
		n       int
		loss    float64
		limit   time.Duration
		minutes int // to live on
	}{
		"all is well":                {1000, 0, 250 * time.Millisecond, 0}, // a question's wait and an answer's
		"every fifth packet is lost": {100, 0.2, 41 * time.Second, 20},     // the fifth question
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := tt.n
				l := newLAN()
				me := on(l, "10.255.0.9/8", "fe80::ffff/64")
				random := rand.New(rand.NewPCG(1, 2))
				// Responders don't hear one another: what a thousand say to a thousand is
				// millions of packets, and says nothing of the browser.
				l.drop = func(by, to *memory) bool {
					return by != me && to != me || random.Float64() < tt.loss
				}
				for i := range tt.n {
					m := on(l, fmt.Sprintf("10.0.%d.%d/8", i/250, i%250+1), fmt.Sprintf("fe80::%x/64", i+1))
					announce(t, m, Service{Kind: KindAgent, Name: fmt.Sprintf("web%04d", i), Port: 8494, Text: web1.Text})
				}
				time.Sleep(time.Minute) // long after all have announced
				began := time.Now()
				b, _ := browse(t, me, KindAgent)
				for len(b.Found()) < n {
					<-b.Changed()
				}
				if d := time.Since(began); d > tt.limit {
					t.Errorf("found all after %v, want %v", d, tt.limit)
				}
				for range tt.minutes {
					time.Sleep(time.Minute)
					if len(b.Found()) != n {
						t.Errorf("%d of %d are left", len(b.Found()), n)
					}
				}
				if me.lost > 0 {
					t.Errorf("%d packets were not read", me.lost)
				}
			})
		})
	}
}

func TestKnownAnswersGoIntoManyPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.255.0.9/8")
		b, _ := browse(t, m, KindAgent)
		time.Sleep(2 * time.Second) // the next questions come at 4 and 13 s
		const n = 1000
		for i := range n {
			l.stranger("10.0.0.1:5353", silent(t, fmt.Sprintf("web%04d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250), 120))
		}
		time.Sleep(time.Millisecond)
		l.by(m)
		time.Sleep(3 * time.Second)
		got := l.by(m)
		known := 0
		for i, s := range got {
			if len(s.data) > 1452 {
				t.Errorf("packet %d has %d bytes", i, len(s.data))
			}
			if (i == 0) != (len(s.msg.questions) == 1) || s.msg.truncated != (i < len(got)-1) {
				t.Errorf("packet %d has %d questions, more: %v", i, len(s.msg.questions), s.msg.truncated)
			}
			known += len(s.msg.answers)
		}
		if known != n || len(got) > 40 || len(b.Found()) != n {
			t.Errorf("%d known answers in %d packets, %d found", known, len(got), len(b.Found()))
		}
	})
}

func TestOneHostWithManyServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent, KindMaster)
		var records []string
		for _, name := range []string{`a`, `b\.c`, `d\032\195\164`} { // "d ä"
			records = append(records, kindName+" 4500 IN PTR "+name+"."+kindName, "!"+name+"."+kindName+" 120 IN SRV 0 0 80 h.local.")
		}
		// Others' services in the same packet, and records of types nobody knows here.
		records = append(records, "_ipp._tcp.local. 4500 IN PTR Printer._ipp._tcp.local.", "Printer._ipp._tcp.local. 120 IN SRV 0 0 631 h.local.",
			"h.local. 120 IN NSEC h.local. A AAAA", "_UPSMASTER._tcp.Local. 4500 IN PTR rack1._upsmaster._TCP.local.",
			"Rack1._upsmaster._tcp.local. 120 IN SRV 0 0 8493 H.local.", "!h.local. 120 IN A 10.0.0.1")
		l.stranger("10.0.0.1:5353", pack(t, true, records...))
		time.Sleep(time.Millisecond)
		if diff := cmp.Diff([]string{"a", "b.c", "d ä", "rack1"}, names(b)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsMissingIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.9/24")
		b, _ := browse(t, m, KindAgent)
		time.Sleep(14 * time.Second)
		l.by(m)
		said := func(want ...string) {
			t.Helper()
			time.Sleep(4 * time.Second)
			got := map[string]bool{}
			for _, s := range l.by(m) {
				for _, q := range s.msg.questions {
					got[dns.TypeToString[q.qtype]+" "+q.name] = true
				}
			}
			for _, w := range want {
				if !got[w] {
					t.Errorf("%s was not asked for, but %v", w, got)
				}
			}
		}
		l.stranger("10.0.0.1:5353", pack(t, true, kindName+" 4500 IN PTR "+fullName))
		said("SRV "+fullName, "TXT "+fullName)
		l.stranger("10.0.0.1:5353", pack(t, true, "!"+fullName+" 4500 IN SRV 0 0 1 h.local.", "!"+fullName+" 4500 IN TXT \"a=b\""))
		said("A h.local.", "AAAA h.local.")
		if len(b.Found()) != 0 {
			t.Error("found without an address")
		}
		l.stranger("10.0.0.1:5353", pack(t, true, "!h.local. 10 IN A 10.0.0.1"))
		time.Sleep(6 * time.Second)
		l.by(m)
		if len(b.Found()) != 1 {
			t.Error("not found")
		}
		said("A h.local.") // at 80 %: its pointer is fresh, so it is asked for by name
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		for i := range 3 * maxInstances {
			l.stranger("10.0.0.1:5353", silent(t, fmt.Sprint("x", i), "10.0.0.1", 1<<31-1))
		}
		time.Sleep(time.Millisecond)
		if n := len(b.Found()); n != maxInstances {
			t.Errorf("%d instances are kept, want %d", n, maxInstances)
		}
		for i := range 5 * maxInstances {
			l.stranger("10.0.0.1:5353", pack(t, true, fmt.Sprintf("!x0.%s 120 IN SRV 0 0 1 h%d.local.", kindName, i)))
		}
		for i := range 100 {
			l.stranger("10.0.0.1:5353", pack(t, true, fmt.Sprintf("x1.local. 120 IN A 10.0.1.%d", i)))
		}
		time.Sleep(time.Millisecond)
		b.mu.Lock()
		if n := len(b.cache.hosts); n > 2*maxInstances {
			t.Errorf("%d hosts are kept", n)
		}
		if n := len(b.cache.hosts[place{1, key("x1.local.")}]); n != maxAddresses {
			t.Errorf("%d addresses are kept", n)
		}
		b.mu.Unlock()
		time.Sleep(maxTTL + time.Minute)
		if n := len(b.Found()); n != 0 {
			t.Errorf("%d instances live for ever", n)
		}
	})
}

func TestAddressesThatNobodyHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		b, _ := browse(t, on(l, "10.0.0.9/24", "fe80::9/64"), KindAgent)
		l.stranger("10.0.0.1:5353", silent(t, "web1", "10.0.0.1", 120))
		for _, a := range []string{"A 127.0.0.1", "A 0.0.0.0", "A 224.0.0.1", "A 255.255.255.255", "AAAA ::1", "AAAA ::", "AAAA ff02::1", "AAAA fe80::1"} {
			l.stranger("10.0.0.1:5353", pack(t, true, "web1.local. 120 IN "+a))
		}
		time.Sleep(time.Millisecond)
		want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:8494"), netip.MustParseAddrPort("[fe80::1%eth0]:8494")}
		if got := b.Found()[0].Addresses; !slices.Equal(want, got) {
			t.Errorf("addresses %v, want %v", got, want)
		}
	})
}

func TestAnswersFromAnotherPortDontCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		b, _ := browse(t, on(l, "10.0.0.9/24"), KindAgent)
		l.stranger("10.0.0.1:5354", silent(t, "web1", "10.0.0.1", 120))
		time.Sleep(time.Millisecond)
		if got := b.Found(); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	})
}
