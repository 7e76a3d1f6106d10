package cut_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	ownPort, otherPort = "/dev/ttyS0", "/dev/ttyS1"
	// forever is a call that never comes back.
	forever = 1000 * time.Hour
)

// bench is a machine with two ports whose drivers may hang, or this program fail.
type bench struct {
	t     *testing.T
	began time.Time
	over  chan struct{} // closed when what hangs may end

	mu       sync.Mutex
	ups      map[string]*fakeUPS
	calls    []string
	hang     func(n int, call string) time.Duration // how long the nth call at any port takes
	effect   bool                                   // a call that hangs has done what it is for before
	told     map[string]power.Uptime                // when a kill was begun first
	deaf     time.Duration                          // how long it takes to say something
	said     []string
	rebooted power.Uptime
	clock    func(n int) // called by the nth look at the clock
	looks    int
}

func newBench(t *testing.T, other line.Cable, mainsAt func(power.Uptime) bool) *bench {
	b := &bench{t: t, began: time.Now(), over: make(chan struct{}), told: map[string]power.Uptime{}, ups: map[string]*fakeUPS{
		ownPort: {cable: cable(t, "nut-7"), mainsAt: mainsAt}, otherPort: {cable: other, mainsAt: mainsAt},
	}}
	return b
}

// now counts from 100 s.
func (b *bench) now() power.Uptime {
	b.mu.Lock()
	b.looks++
	n := b.looks
	b.mu.Unlock()
	if b.clock != nil {
		b.clock(n)
	}
	return b.at()
}

func (b *bench) at() power.Uptime { return at(100).Add(time.Since(b.began)) }

// run runs the late unit, both UPSes may be cut 10 s later, and returns how long it took.
func (b *bench) run(ctx context.Context, within time.Duration) (time.Duration, error) {
	sealed := func(name, port string, own bool) cut.Sealed {
		return cut.Sealed{Name: name, Outage: "o", Port: port, Cable: b.ups[port].cable, NotBefore: at(110), Own: own}
	}
	s := cut.Seal{Boot: "b", Made: at(100), Expires: at(9000), UPS: []cut.Sealed{sealed("main", ownPort, true), sealed("other", otherPort, false)}}
	err := cut.Run(ctx, cut.Options{Seal: s, Within: within, Now: b.now, System: b, Say: b.say, Open: b.open})
	took := time.Since(b.began)
	close(b.over)
	synctest.Wait()
	return took, err
}

func (b *bench) say(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, text)
	if b.deaf > 0 {
		b.mu.Unlock()
		defer b.mu.Lock()
		b.wait(b.deaf)
	}
}

// wait lasts so long, or until the test is over.
func (b *bench) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.over:
	}
}

// call is one call at a port, that does something.
func (b *bench) call(port, what string, do func(u *fakeUPS)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, hangs := len(b.calls), time.Duration(0)
	b.calls = append(b.calls, port+" "+what)
	if b.hang != nil {
		hangs = b.hang(n, port+" "+what)
	}
	if b.effect {
		do(b.ups[port])
	}
	if hangs > 0 {
		b.mu.Unlock()
		b.wait(hangs)
		b.mu.Lock()
	}
	select {
	case <-b.over:
	default:
		if !b.effect {
			do(b.ups[port])
		}
	}
}

// kill notes that a kill has begun.
func (b *bench) kill(port string) {
	if b.ups[port].mainsAt(b.at()) {
		b.t.Errorf("law 4: the kill of %s begun on mains at %v", port, time.Duration(b.at()))
	}
	if b.told[port] == 0 {
		b.told[port] = b.at()
	}
}

func (b *bench) open(path string, c line.Cable) (line.Opened, error) {
	b.call(path, "open", func(u *fakeUPS) { u.out, u.brk, u.sends = c.Idle(), false, false })
	return line.Opened{Port: benchPort{b, path}}, nil
}

// Quiet implements cut.System.
func (b *bench) Quiet() error { return nil }

// Reboot implements cut.System.
func (b *bench) Reboot() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rebooted = b.at()
	return nil
}

// benchPort is one of its ports.
type benchPort struct {
	b    *bench
	path string
}

// Levels implements line.Handle.
func (p benchPort) Levels() (ls line.Lines, err error) {
	p.b.call(p.path, "levels", func(u *fakeUPS) { ls = u.inputs(p.b.at()) | u.out })
	return ls, nil
}

// Counters implements line.Handle.
func (p benchPort) Counters() (line.Counters, bool) { return line.Counters{}, false }

// Drive implements line.Handle.
func (p benchPort) Drive(ls line.Lines) error {
	p.b.call(p.path, "drive "+ls.String(), func(u *fakeUPS) {
		if u.out = ls; ls != u.cable.Idle() {
			p.b.kill(p.path)
		}
	})
	return nil
}

// Close implements line.Handle.
func (p benchPort) Close() { p.b.call(p.path, "close", func(*fakeUPS) {}) }

// Break implements line.Transmitter.
func (p benchPort) Break(on bool) error {
	p.b.call(p.path, fmt.Sprintf("break %v", on), func(u *fakeUPS) {
		if u.brk = on; on {
			p.b.kill(p.path)
		}
	})
	return nil
}

// Send implements line.Transmitter.
func (p benchPort) Send(data []byte) (int, error) {
	p.b.call(p.path, "send", func(u *fakeUPS) {
		if !u.sends {
			u.sends = true
			p.b.kill(p.path)
		}
	})
	return len(data), nil
}

// Flush implements line.Transmitter.
func (p benchPort) Flush() error {
	p.b.call(p.path, "flush", func(u *fakeUPS) { u.sends = false })
	return nil
}

// moments are the calls at which something may hang: each that is rare, and of those that
// come all the time the first and one now and then.
func moments(calls []string, seldom int) (ns []int) {
	seen := map[string]int{}
	for n, c := range calls {
		if seen[c]++; seen[c] < 2 || seen[c]%seldom == 0 {
			ns = append(ns, n)
		}
	}
	return ns
}

// TestLaw07ADriverThatHangsHoldsUpNobody: whichever call hangs, at whichever moment, for
// a while or for ever, the other UPS is cut at its time and the machine is up again.
func TestLaw07ADriverThatHangsHoldsUpNobody(t *testing.T) {
	mains := from(300)
	for _, name := range []string{"nut-7", "nut-11", "tripplite-bc-lan"} {
		var calls []string
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, cable(t, name), mains)
			if took, err := b.run(t.Context(), 0); err != nil || b.rebooted == 0 || took > 400*time.Second {
				t.Fatalf("without any trouble: %v after %v", err, took)
			}
			calls = b.calls
		})
		for _, lasts := range []time.Duration{4 * time.Second, forever} {
			for _, n := range moments(calls, 2500) {
				port, what, _ := strings.Cut(calls[n], " ")
				if port == ownPort && name != "nut-7" {
					continue // it is on that cable each time
				}
				for _, effect := range []bool{false, true} {
					if effect && (what == "levels" || what == "open" || what == "close" || port == ownPort && lasts == forever) {
						continue // it makes no difference, or the hour has been waited for
					}
					t.Run(fmt.Sprintf("%s/%v/%d %s/%v", name, lasts, n, strings.ReplaceAll(calls[n], "/", ""), effect), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							b := newBench(t, cable(t, name), mains)
							b.effect = effect
							b.hang = func(i int, _ string) time.Duration {
								if i == n {
									return lasts
								}
								return 0
							}
							took, err := b.run(t.Context(), 0)
							b.check(port, what, lasts, took, err)
						})
					})
				}
			}
		}
	}
}

// check holds what must be so when one call has hung at a port.
func (b *bench) check(port, what string, lasts, took time.Duration, err error) {
	b.t.Helper()
	if err != nil || b.rebooted == 0 {
		b.t.Fatalf("no reboot: %v", err)
	}
	ownHangs := port == ownPort && lasts == forever
	if most := map[bool]time.Duration{false: 10 * time.Minute, true: time.Hour + 10*time.Minute}[ownHangs]; took > most {
		b.t.Errorf("up again after %v", took)
	}
	for _, p := range []string{ownPort, otherPort} {
		if p == port && lasts == forever {
			continue
		}
		if told := b.told[p]; told == 0 || told.After(at(110).Add(2*time.Minute+10*time.Second)) {
			b.t.Errorf("%s was told at %v", p, time.Duration(told))
		}
		if u := b.ups[p]; u.out != u.cable.Idle() || u.brk || u.sends {
			b.t.Errorf("law 4: %s is left with %s, break %v, sending %v", p, u.out, u.brk, u.sends)
		}
	}
	if what != "close" && !slices.ContainsFunc(b.said, func(s string) bool { return strings.Contains(s, "no answer from "+port) }) {
		b.t.Errorf("nobody was told: %q", b.said)
	}
}

// TestLaw04ACallThatHungIsUndone: who is ended while a kill's call hangs, and the next
// moment it doesn't, leaves no line asserted.
func TestLaw04ACallThatHungIsUndone(t *testing.T) {
	for _, name := range []string{"nut-7", "nut-11", "tripplite-bc-lan"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, cable(t, name), never)
			u := b.ups[otherPort]
			b.hang = func(_ int, call string) time.Duration {
				switch call {
				case otherPort + " drive " + u.cable.Asserted().String(), otherPort + " break true", otherPort + " send":
					return 1100 * time.Millisecond // a little longer than anybody waits
				}
				return 0
			}
			// The call comes back between two looks at it.
			ctx, cancel := context.WithTimeout(t.Context(), 11105*time.Millisecond)
			defer cancel()
			if _, err := b.run(ctx, 0); err == nil {
				t.Error("no error")
			}
			if b.told[otherPort] == 0 || u.out != u.cable.Idle() || u.brk || u.sends {
				t.Errorf("%s: told at %v, left with %s, break %v, sending %v", name, b.told[otherPort], u.out, u.brk, u.sends)
			}
		})
	}
}

// TestAConsoleThatIsStoppedStopsNothing: what nobody takes is lost.
func TestAConsoleThatIsStoppedStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cable(t, "nut-7"), from(300))
		b.deaf = forever
		if took, err := b.run(t.Context(), 0); err != nil || b.rebooted == 0 || took > 270*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if len(b.said) != 1 {
			t.Errorf("said %q", b.said)
		}
	})
}

// hungDisk is a machine whose disk hangs.
type hungDisk struct{ *bench }

// Quiet implements cut.System.
func (d hungDisk) Quiet() error {
	d.wait(forever)
	return nil
}

func TestLaw10ADiskThatHangsKeepsNobodyDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cable(t, "nut-7"), from(120))
		s := cut.Seal{Boot: "b", Made: at(100), Expires: at(9000), UPS: []cut.Sealed{{
			Name: "main", Outage: "o", Port: ownPort, Cable: b.ups[ownPort].cable, NotBefore: at(110), Own: true,
		}}}
		err := cut.Run(t.Context(), cut.Options{Seal: s, Now: b.now, System: hungDisk{b}, Say: b.say, Open: b.open})
		close(b.over)
		if err != nil || b.rebooted == 0 || b.rebooted.After(at(135)) {
			t.Errorf("%v, rebooted at %v", err, time.Duration(b.rebooted))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		began := time.Now()
		if v, err := cut.Bounded(10*time.Second, func() (int, error) { <-over; return 1, nil }); err == nil || v != 0 || time.Since(began) != 10*time.Second {
			t.Errorf("%d, %v after %v", v, err, time.Since(began))
		}
		want := errors.New("EIO")
		if v, err := cut.Bounded(10*time.Second, func() (int, error) { return 1, want }); !errors.Is(err, want) || v != 1 {
			t.Errorf("%d, %v", v, err)
		}
	})
}
