package alarm

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func testBox() *box {
	b := newBox(Target{}, "bob", "id")
	b.spread = func() float64 { return 0 }
	return b
}

// TestHowLateIsByTheClockThatRan: a daemon that was off takes the wall clock's word, if
// it can be believed.
func TestHowLateIsByTheClockThatRan(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name         string
		waited, wall time.Duration // in earlier runs; since it happened, by the wall
		want         time.Duration
	}{
		{"in time", 0, 50 * time.Second, 0},
		{"late in this run", 70 * time.Second, 70 * time.Second, 70 * time.Second},
		{"off meanwhile", 70 * time.Second, 3 * time.Hour, 3 * time.Hour},
		{"the clock went back", 70 * time.Second, -time.Hour, 70 * time.Second},
		{"the clock began in 1970", 70 * time.Second, 50 * 365 * 24 * time.Hour, 70 * time.Second},
	} {
		e := entry{Message: Message{Wall: now.Add(-c.wall).Round(0)}, Waited: c.waited, since: now}
		if got := e.note("", now).late; got != c.want {
			t.Errorf("%s: %s late, want %s", c.name, got, c.want)
		}
	}
}

func TestWhatIsBeingSentIsNotDropped(t *testing.T) {
	b, now := testBox(), time.Now()
	for i := range boxMax {
		b.add(Message{Event: "fail"}, fmt.Sprint(i), now)
	}
	if e, _, ok := b.first(now); !ok || e.ID != "0" {
		t.Fatal(e, ok)
	}
	if lost := b.add(Message{Event: "fail"}, "one more", now); lost != 1 {
		t.Errorf("%d lost", lost)
	}
	if b.waiting[0].ID != "0" || b.waiting[0].Lost != 0 || b.waiting[1].ID != "2" || b.waiting[1].Lost != 1 {
		t.Errorf("it has %+v first", b.waiting[:2])
	}
	b.sent("0", now)
	if e, wait, ok := b.first(now.Add(gap)); !ok || wait > 0 || e.ID != "2" {
		t.Error(e, wait, ok)
	}
}

func TestAProblemOnItsWayIsNoReasonToBeSilent(t *testing.T) {
	b, now := testBox(), time.Now()
	m := Message{Event: "problem", On: "ups/main", Problem: "blind"}
	b.add(m, "1", now)
	b.first(now)
	b.add(m, "2", now)
	b.add(m, "3", now)
	if len(b.waiting) != 2 || b.waiting[1].ID != "2" {
		t.Errorf("it has %+v", b.waiting)
	}
}

func TestTheWaitIsSpread(t *testing.T) {
	b, now := testBox(), time.Now()
	b.spread = func() float64 { return 1 }
	b.add(Message{Event: "fail"}, "1", now)
	for i := range 80 { // far past what a shift bears
		if begins, over := b.failed("1", errors.New("x"), now); begins != (i == 0) || over {
			t.Fatalf("%d: %v, %v", i, begins, over)
		}
	}
	if got := b.next.Sub(now); got != lastWait*6/5 {
		t.Errorf("it waits %s", got)
	}
}

func TestTroubleIsSinceItBegan(t *testing.T) {
	b, now := testBox(), time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	b.add(Message{Event: "fail"}, "1", now)
	b.failed("1", refusal{text: "no", after: 100}, now)
	b.failed("1", errors.New("still no"), now.Add(time.Minute))
	want := "cannot tell bob since 2026-01-02 15:04 UTC (still no); 1 message waits"
	if got := b.trouble(now.Add(tellAfter)); got != want || b.trouble(now.Add(tellAfter-1)) != "" {
		t.Errorf("got %s\nwant %s", got, want)
	}
	b.hangs(errHangs, now.Add(2*time.Minute))
	if got := b.trouble(now.Add(tellAfter)); got != strings.Replace(want, "still no", errHangs.Error(), 1) {
		t.Errorf("got %s", got)
	}
	// The first wish to be left alone is over with the second failure.
	b.add(Message{Event: "ok"}, "2", now.Add(time.Minute))
	if got := b.next.Sub(now.Add(time.Minute)); got != firstWait {
		t.Errorf("it waits %s", got)
	}
}

func TestWhatIsPrivate(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "192.168.0.1": true, "::ffff:192.168.0.1": true, "::ffff:100.64.0.1": true, "172.31.0.1": true,
		"169.254.1.1": true, "fe80::1": true, "fd00::1": true, "100.100.1.1": true,
		"100.128.0.1": false, "8.8.8.8": false, "::ffff:8.8.8.8": false, "2001:db8::1": false, "172.32.0.1": false,
	} {
		if got := private(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func TestSecretsAreTakenOutWhole(t *testing.T) {
	got := redact("see /hook/abcdef/abcdefgh?k=a%2Fb%2Fc%2Fd a/b/c/d message v1", []string{"abcdef", "abcdefgh", "a%2Fb%2Fc%2Fd", "a/b/c/d", "message", "v1", ""})
	if want := "see /hook/…/…?k=… … message v1"; got != want || strings.Contains(got, "gh") {
		t.Errorf("got %s, want %s", got, want)
	}
}
