package cut_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// machine is what lies under a Run: one port and the system, in memory. Run alone
// uses it while it runs.
type machine struct {
	ups    *fakeUPS
	began  time.Time
	ready  power.Uptime  // from when on its UPS may be cut
	cache  bool          // its driver answers from a memory that is empty for a second
	refuse error         // what Drive answers once
	slow   time.Duration // how long Drive takes, once
	drives []time.Time   // when the outputs changed
	gone   bool          // there is no such port
	opened time.Time
	did    []string
	said   []string
	failed error // what Reboot answers
}

func (m *machine) now() power.Uptime { return at(100).Add(time.Since(m.began)) }

func (m *machine) note(what string) { m.did = append(m.did, what) }

func (m *machine) open(string, line.Cable) (line.Opened, error) {
	if m.gone {
		return line.Opened{}, line.ErrMissing
	}
	m.note("open")
	m.opened = time.Now()
	m.ups.out, m.ups.brk = m.ups.cable.Idle(), false
	o := line.Opened{Port: m}
	if m.cache {
		o.Cache = "pl2303"
	}
	return o, nil
}

// Levels implements line.Handle.
func (m *machine) Levels() (line.Lines, error) {
	if m.gone {
		return 0, line.ErrLost
	}
	if m.cache && time.Since(m.opened) < time.Second {
		return m.ups.out, nil
	}
	return m.ups.inputs(m.now()) | m.ups.out, nil
}

// Counters implements line.Handle.
func (m *machine) Counters() (line.Counters, bool) { return line.Counters{}, false }

// Drive implements line.Handle.
func (m *machine) Drive(l line.Lines) error {
	if err := m.refuse; err != nil {
		m.refuse = nil
		return err
	}
	time.Sleep(m.slow)
	m.slow = 0
	m.note("drive " + l.String())
	m.drives = append(m.drives, time.Now())
	m.ups.out = l
	return nil
}

// Close implements line.Handle.
func (m *machine) Close() { m.note("close") }

// Break implements line.Transmitter.
func (m *machine) Break(on bool) error {
	m.note(map[bool]string{true: "break", false: "unbreak"}[on])
	m.ups.brk = on
	return nil
}

// Send implements line.Transmitter.
func (m *machine) Send(b []byte) (int, error) {
	if len(m.did) == 0 || m.did[len(m.did)-1] != "send "+string(b) {
		m.note("send " + string(b))
	}
	return len(b), nil
}

// Flush implements line.Transmitter.
func (m *machine) Flush() error {
	m.note("flush")
	return nil
}

// Quiet implements cut.System.
func (m *machine) Quiet() error {
	m.note("quiet")
	return errors.New("cannot make / read-only: busy")
}

// Reboot implements cut.System. In truth it doesn't return.
func (m *machine) Reboot() error {
	m.note("reboot")
	return m.failed
}

// play runs the late unit on this machine, whose UPS may be cut when it is ready.
func (m *machine) play(ctx context.Context, within time.Duration) error {
	m.began = time.Now()
	s := cut.Seal{Boot: "b", Made: at(100), Expires: at(9000), UPS: []cut.Sealed{{
		Name: "main", Outage: "o1", Port: "/dev/ttyS0", Cable: m.ups.cable, NotBefore: max(m.ready, at(100)), Own: true,
	}}}
	return cut.Run(ctx, cut.Options{Seal: s, Within: within, Now: m.now, Open: m.open, System: m, Say: func(text string) { m.said = append(m.said, text) }})
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name   string
		cable  string
		mains  func(power.Uptime) bool
		within time.Duration
		alter  func(*machine)
		want   string // what was done
		took   time.Duration
	}{
		{name: "levels, then mains", cable: "nut-7", mains: from(130),
			want: "quiet, open, drive DTR, drive RTS, reboot, close", took: 135250 * time.Millisecond},
		{name: "a break", cable: "nut-11", mains: from(130),
			want: "quiet, open, break, unbreak, drive DTR, reboot, close", took: 135250 * time.Millisecond},
		{name: "data", cable: "tripplite-bc-lan", mains: from(130),
			want: "quiet, open, send " + strings.Repeat("U", 96) + ", flush, drive RTS, reboot, close", took: 135250 * time.Millisecond},
		{name: "mains at once", cable: "nut-7", mains: always, want: "quiet, open, reboot, close", took: 2 * time.Second},
		{name: "no time", cable: "nut-7", mains: never, within: 12 * time.Second,
			want: "quiet, open, drive DTR, drive RTS, close", took: 12 * time.Second},
		{name: "a memory that reads as on battery", cable: "nut-7", mains: always, alter: func(m *machine) { m.cache, m.ready = true, 0 },
			want: "quiet, open, reboot, close", took: 3 * time.Second},
		{name: "a port that refuses once", cable: "nut-7", mains: never, within: 13 * time.Second,
			alter: func(m *machine) { m.refuse = errors.New("TIOCMSET: EIO") },
			want:  "quiet, open, close, open, drive DTR, drive RTS, close", took: 13 * time.Second},
		{name: "no port", cable: "nut-7", mains: never, alter: func(m *machine) { m.gone = true },
			want: "quiet, reboot", took: time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{ready: at(110), ups: &fakeUPS{cable: cable(t, c.cable), mainsAt: c.mains}}
				if c.alter != nil {
					c.alter(m)
				}
				if err := m.play(t.Context(), c.within); err != nil {
					t.Error(err)
				}
				if got := strings.Join(m.did, ", "); got != c.want {
					t.Errorf("did %s\nwant %s", got, c.want)
				}
				if d := time.Since(m.began); d < c.took || d > c.took+200*time.Millisecond {
					t.Errorf("took %v, want %v", d, c.took)
				}
				if !slices.ContainsFunc(m.said, func(s string) bool { return strings.Contains(s, "busy") }) {
					t.Errorf("said %q: nothing of what could not be done", m.said)
				}
			})
		})
	}
}

// A kill's length is that on the wire, however long the port takes to begin it.
func TestAKillCountsFromWhenItIsOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := line.Lookup("nut-7")
		m := &machine{ups: &fakeUPS{cable: c, mainsAt: from(130)}, slow: 900 * time.Millisecond}
		if err := m.play(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if len(m.drives) < 2 || m.drives[1].Sub(m.drives[0]) < c.Kill.Hold {
			t.Errorf("driven at %v, want the kill for %v", m.drives, c.Kill.Hold)
		}
	})
}

// TestLaw04WhoeverEndsItEndsTheKill: no line stays asserted behind a late unit that is
// told to go.
func TestLaw04WhoeverEndsItEndsTheKill(t *testing.T) {
	for name, want := range map[string]string{
		"nut-7":            "quiet, open, drive DTR, drive RTS, close",
		"nut-11":           "quiet, open, break, unbreak, drive DTR, close",
		"tripplite-bc-lan": "quiet, open, send " + strings.Repeat("U", 96) + ", flush, drive RTS, close",
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &machine{ready: at(110), ups: &fakeUPS{cable: cable(t, name), mainsAt: never}}
			ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
			defer cancel()
			if err := m.play(ctx, 0); err == nil {
				t.Error("no error")
			}
			if got := strings.Join(m.did, ", "); got != want {
				t.Errorf("did %s\nwant %s", got, want)
			}
		})
	}
}

func TestARebootThatIsRefusedIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{ups: &fakeUPS{cable: cable(t, "nut-7"), mainsAt: always}, failed: errors.New("EPERM")}
		if err := m.play(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "EPERM") {
			t.Errorf("got %v", err)
		}
	})
}

func TestItSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{ups: &fakeUPS{cable: cable(t, "nut-8"), mainsAt: from(300)}}
		if err := m.play(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range m.said {
			if strings.Contains(s, "can't cut the load; waiting for mains") {
				n++
			}
		}
		if n < 5 || n > 8 { // at the start, and every 30 s of 200
			t.Errorf("%d times: %q", n, m.said)
		}
	})
}
