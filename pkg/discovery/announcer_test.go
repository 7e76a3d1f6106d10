package discovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

var web1 = Service{Kind: KindAgent, Name: "web1", Port: 8494, Text: map[string]string{"id": "a1", "joined": "no"}}

const (
	kindName = KindAgent + ".local."
	fullName = "web1." + kindName
	settled  = 5 * time.Second // probes and announcements are over
)

// list is what a message says, for a comparison.
func list(m message) []string {
	var out []string
	for _, section := range []struct {
		name string
		of   []record
	}{{"", m.answers}, {"+", m.extra}, {"claim ", m.authority}} {
		for _, r := range section.of {
			flush := ""
			if r.flush {
				flush = " flush"
			}
			out = append(out, fmt.Sprintf("%s%s %s %d%s", section.name, dns.TypeToString[r.rtype], r.name, int(r.ttl.Seconds()), flush))
		}
	}
	return out
}

func TestAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24", "fe80::1/64")
		_, stop := announce(t, m, web1)
		time.Sleep(time.Hour)
		var at [2][]time.Duration // by family
		var kinds [2][]string
		for _, s := range l.by(m) {
			i := 0
			if s.path.v6 {
				i = 1
			}
			at[i] = append(at[i], s.at)
			kinds[i] = append(kinds[i], map[bool]string{true: "announcement", false: "probe"}[s.msg.response])
			if s.msg.response {
				host := s.msg.answers[1].target
				want := []string{"PTR " + kindName + " 120", "SRV " + fullName + " 120 flush", "TXT " + fullName + " 120 flush", "A " + host + " 120 flush", "AAAA " + host + " 120 flush"}
				if diff := cmp.Diff(want, list(s.msg)); diff != "" {
					t.Error(diff)
				}
				if !strings.HasPrefix(host, "web1-") || !strings.HasSuffix(host, ".local.") {
					t.Errorf("the host is %s", host)
				}
			} else if diff := cmp.Diff([]string{"claim SRV " + fullName + " 120", "claim TXT " + fullName + " 120"}, list(s.msg)); diff != "" {
				t.Error(diff)
			}
		}
		for i, family := range []string{"IPv4", "IPv6"} {
			if diff := cmp.Diff([]string{"probe", "probe", "probe", "announcement", "announcement"}, kinds[i]); diff != "" {
				t.Fatal(family, diff)
			}
			if at[i][0] > 250*time.Millisecond {
				t.Errorf("%s: the first probe came after %v", family, at[i][0])
			}
			gaps := []time.Duration{}
			for j := range 4 {
				gaps = append(gaps, at[i][j+1]-at[i][j])
			}
			if diff := cmp.Diff([]time.Duration{250e6, 250e6, 250e6, 1e9}, gaps); diff != "" {
				t.Error(family, diff)
			}
		}
		stop()
		bye := l.by(m)
		if len(bye) != 2 {
			t.Fatalf("%d goodbyes, want one for each family", len(bye))
		}
		for _, s := range bye {
			for _, r := range s.msg.answers {
				if r.ttl != 0 {
					t.Errorf("a goodbye with %v for %s", r.ttl, r.name)
				}
			}
			if len(s.msg.answers) != 5 {
				t.Errorf("a goodbye has %d records", len(s.msg.answers))
			}
		}
	})
}

func TestWhoNeverAnnouncedSaysNoGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		_, stop := announce(t, m, web1)
		time.Sleep(300 * time.Millisecond)
		stop()
		for _, s := range l.by(m) {
			if s.msg.response {
				t.Errorf("said %v", list(s.msg))
			}
		}
	})
}

// answers starts an announcer, asks with data after it has settled, and returns what
// it says within wait, the times from the question on.
func answers(t *testing.T, from string, wait time.Duration, data ...[]byte) (out []sent) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		announce(t, m, web1)
		time.Sleep(settled)
		l.by(m)
		l.began = time.Now()
		for _, d := range data {
			l.stranger(from, d)
		}
		time.Sleep(wait)
		out = l.by(m)
	})
	return out
}

func TestAnswersWaitARandomTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		announce(t, m, web1)
		time.Sleep(settled)
		l.by(m)
		least, most := time.Hour, time.Duration(0)
		for range 300 {
			l.began = time.Now()
			l.stranger("10.0.0.9:5353", ask(t, kindName, dns.TypePTR))
			time.Sleep(2 * time.Second)
			got := l.by(m)
			if len(got) != 1 {
				t.Fatalf("%d answers", len(got))
			}
			least, most = min(least, got[0].at), max(most, got[0].at)
		}
		if least < 20*time.Millisecond || least > 40*time.Millisecond || most > 120*time.Millisecond || most < 100*time.Millisecond {
			t.Errorf("answers come after %v to %v, want 20 to 120 ms", least, most)
		}
	})
}

func TestQuestions(t *testing.T) {
	pointer := []string{"PTR _upsagent._tcp.local. 120", "+SRV", "+TXT", "+A"}
	tests := map[string]struct {
		question []byte
		want     []string // types and names; the host's name is left out
	}{
		"who is there":      {ask(t, kindName, dns.TypePTR), pointer},
		"in capitals":       {ask(t, "_UPSagent._TCP.Local.", dns.TypePTR), pointer},
		"everything":        {ask(t, kindName, dns.TypeANY), pointer},
		"unicast is wanted": {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) { m.Question[0].Qclass |= flushBit }), pointer},
		"which kinds":       {ask(t, enumName, dns.TypePTR), []string{"PTR _services._dns-sd._udp.local. 120"}},
		"where":             {ask(t, fullName, dns.TypeSRV), []string{"SRV web1._upsagent._tcp.local. 120 flush", "+A"}},
		"what":              {ask(t, "WEB1."+kindName, dns.TypeTXT), []string{"TXT web1._upsagent._tcp.local. 120 flush"}},
		"both":              {ask(t, fullName, dns.TypeANY), []string{"SRV web1._upsagent._tcp.local. 120 flush", "TXT web1._upsagent._tcp.local. 120 flush", "+A"}},
		"another kind":      {ask(t, KindMaster+".local.", dns.TypePTR), nil},
		"another instance":  {ask(t, "web2."+kindName, dns.TypeSRV), nil},
		"no IPv6 here":      {ask(t, fullName, dns.TypeAAAA), nil},
		"class CHAOS":       {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), nil},
		"a notify":          {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), nil},
		"half a question":   {ask(t, kindName, dns.TypePTR)[:20], nil},
		"two questions": {ask(t, enumName, dns.TypePTR, func(m *dns.Msg) {
			m.Question = append(m.Question, dns.Question{Name: fullName, Qtype: dns.TypeTXT, Qclass: 1})
		}), []string{"PTR _services._dns-sd._udp.local. 120", "TXT web1._upsagent._tcp.local. 120 flush"}},
		"known": {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) {
			m.Answer = []dns.RR{rr(t, kindName+" 60 IN PTR WEB1."+kindName)}
		}), nil},
		"known for too long": {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) {
			m.Answer = []dns.RR{rr(t, kindName+" 59 IN PTR "+fullName)}
		}), pointer},
		"another is known": {ask(t, kindName, dns.TypePTR, func(m *dns.Msg) {
			m.Answer = []dns.RR{rr(t, kindName+" 120 IN PTR web2."+kindName)}
		}), pointer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range answers(t, "10.0.0.9:5353", 3*time.Second, tt.question) {
				for _, line := range list(s.msg) {
					if extra, ok := strings.CutPrefix(line, "+"); ok {
						line = "+" + strings.Fields(extra)[0]
					}
					got = append(got, line)
				}
				if s.to.IsValid() {
					t.Errorf("it went to %v", s.to)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMoreKnownAnswersFollow(t *testing.T) {
	more := func(m *dns.Msg) { m.Truncated = true }
	rest := func(name string) []byte {
		return ask(t, kindName, dns.TypePTR, func(m *dns.Msg) {
			m.Question, m.Answer = nil, []dns.RR{rr(t, kindName+" 120 IN PTR "+name+"."+kindName)}
		})
	}
	if got := answers(t, "10.0.0.9:5353", 3*time.Second, ask(t, kindName, dns.TypePTR, more), rest("web7"), rest("web1")); len(got) != 0 {
		t.Errorf("it answers what is known by the last packet: %v", list(got[0].msg))
	}
	got := answers(t, "10.0.0.9:5353", 3*time.Second, ask(t, kindName, dns.TypePTR, more), rest("web7"))
	if len(got) != 1 || got[0].at < 400*time.Millisecond || got[0].at > 500*time.Millisecond {
		t.Errorf("%d answers, want one after 400 to 500 ms: %v", len(got), got)
	}
}

func TestOneAnswerServesAll(t *testing.T) {
	var questions [][]byte
	for range 1000 {
		questions = append(questions, ask(t, kindName, dns.TypePTR))
	}
	if got := answers(t, "10.0.0.9:5353", 900*time.Millisecond, questions...); len(got) != 1 {
		t.Errorf("%d answers to 1000 questions at once, want 1", len(got))
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLAN()
		m := on(l, "10.0.0.1/24")
		announce(t, m, web1)
		time.Sleep(settled)
		l.by(m)
		for range 600 { // for a minute, ten times a second
			l.stranger("10.0.0.9:5353", ask(t, kindName, dns.TypePTR))
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(l.by(m)); n < 50 || n > 61 {
			t.Errorf("%d answers in a minute, want about one a second", n)
		}
	})
}

func TestSimpleResolver(t *testing.T) {
	withID := func(m *dns.Msg) { m.Id = 4711 }
	got := answers(t, "10.0.0.9:40000", 3*time.Second, ask(t, kindName, dns.TypePTR, withID))
	if len(got) != 1 || got[0].to.String() != "10.0.0.9:40000" || got[0].at != 0 {
		t.Fatalf("got %v, want one reply to the port that asked, at once", got)
	}
	want := []string{"PTR " + kindName + " 10", "SRV " + fullName + " 10", "TXT " + fullName + " 10"}
	m := got[0].msg
	if lines := list(m); !cmp.Equal(want, []string{lines[0], strings.TrimPrefix(lines[1], "+"), strings.TrimPrefix(lines[2], "+")}) {
		t.Errorf("got %q, want %q", lines, want)
	}
	if m.id != 4711 || len(m.questions) != 1 || m.questions[0].name != kindName {
		t.Errorf("the reply has id %d and questions %v", m.id, m.questions)
	}
	if got := answers(t, "192.0.2.9:40000", 3*time.Second, ask(t, kindName, dns.TypePTR)); len(got) != 0 {
		t.Errorf("who is no neighbour is sent %v", got)
	}
	flood := slices.Repeat([][]byte{ask(t, kindName, dns.TypePTR)}, 500)
	if got := answers(t, "10.0.0.9:40000", 900*time.Millisecond, flood...); len(got) != 10 {
		t.Errorf("%d replies in a second, want 10", len(got))
	}
}
