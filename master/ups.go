package master

import (
	"context"
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// upsRunner owns one UPS's qualifier: samples in, believed states out.
type upsRunner struct {
	name string
	src  source
	sim  bool
	bare bool // no port configured
	mute bool // its cable can't tell a pulled plug
	flap flapping
	q    *power.Qualifier
	now  func() power.Uptime
	tell func(upsRecord)    // never blocks
	asks chan func()        // size one, see ping
	does chan func() func() // what others want of it: done by Run, and what it returns when all is told
	cfg  UPS
	held bool   // its port is open already
	last sample // the newest; Run's own, as is all that follows
	seen bool   // there was one
	read bool   // it was told what is so, or that nobody can say
	off  disabling
}

// reading is how long a master that has just begun may take to read a UPS, before it
// tells what an earlier run knew: a driver that fills its memory takes 3 s, good power
// is believed after 2.
const reading = 6 * time.Second

// String names the task.
func (u *upsRunner) String() string { return "ups " + u.name }

// ping has answer called by the runner's goroutine. No second ping comes before the
// answer (daemon.Pulse), so it never blocks.
func (u *upsRunner) ping(answer func()) { u.asks <- answer }

// Run feeds the qualifier until ctx ends.
func (u *upsRunner) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	until := u.now().Add(reading)
	for {
		var st power.State
		answer := func() {}
		select {
		case u.last = <-u.src.Samples():
			u.seen = true
			st = u.look()
		case <-timer.C:
			st = u.pass()
		case do := <-u.does:
			answer = do()
			st = u.q.Tick(u.now())
		case pong := <-u.asks:
			pong()
			continue
		case <-ctx.Done():
			return nil
		}
		if !u.seen && st.Reason == "" && st.Status == power.Unknown {
			st.Reason = u.unseen()
		}
		early := u.early(st, until)
		if early && st.Last.OnBattery() {
			st = power.State{Reason: st.Reason, HasLow: st.HasLow, Runtime: st.Runtime}
		}
		st.Sim = u.sim
		u.flap.note(u.now(), st)
		u.tell(upsRecord{name: u.name, state: st, snapshot: u.q.Snapshot(), battery: u.q.Battery(), record: u.q.Record(), disabled: u.off, told: true, lines: u.last.lines, problems: u.problems(st)})
		answer()
		timer.Stop()
		at, timed := u.q.Deadline()
		if over, flaps := u.flap.until(); flaps && (!timed || over.Before(at)) {
			at, timed = over, true
		}
		if early && (!timed || until.Before(at)) {
			at, timed = until, true
		}
		if next, ok := u.next(st); ok && (!timed || next.Before(at)) {
			at, timed = next, true
		}
		if timed {
			timer.Reset(max(0, at.Sub(u.now())))
		}
	}
}

// early reports whether the UPS will be read within moments. What an earlier run knew
// is not told until then: a machine that has just booted would take an outage that may
// be over for one that it is late for, and go down on mains.
func (u *upsRunner) early(st power.State, until power.Uptime) bool {
	u.read = u.read || u.off.By != "" || st.Status != power.Unknown || u.seen && u.last.signals.Blind && !u.last.soon || !u.now().Before(until)
	return !u.read
}

// unseen says why there was no sample yet.
func (u *upsRunner) unseen() string {
	if u.bare {
		return "no port is configured; set port in [[ups]] of master.toml"
	}
	return "not read yet"
}

// problems returns what weakens the protection by this UPS.
func (u *upsRunner) problems(st power.State) []health.Problem {
	var ps []health.Problem
	switch {
	case u.off.By != "":
		ps = append(ps, health.Problem{Name: health.UPSDisabled, Text: u.off.text(u.name)})
	case u.bare:
		ps = append(ps, health.Problem{Name: health.NoPort, Text: "nobody watches this UPS: " + u.unseen()})
	case st.Status == power.Unknown:
		ps = append(ps, health.Problem{Name: health.Blind, Text: "nobody can say what this UPS does: " + st.Reason})
	}
	if st.WeakBattery {
		ps = append(ps, health.Problem{Name: health.WeakBattery, Text: "the UPS says that its battery is low or worn while on mains; replace the battery"})
	}
	if u.q.Cable().Suspect {
		ps = append(ps, health.Problem{Name: health.Cable, Text: "on battery and low battery came or went together, as when the plug is pulled; look at both ends of the cable"})
	}
	if u.flap.many(u.now()) {
		ps = append(ps, health.Problem{Name: health.Flapping, Text: fmt.Sprintf(
			"the mains failed %d times within %s; look at the plug, the fuse and the sensitivity of the UPS: each time costs battery", flapMany, flapWithin)})
	}
	if u.mute {
		ps = append(ps, health.Problem{Name: health.CableMute, Text: "with the plug pulled out this cable reads as a UPS on mains, so nobody would notice; fasten it"})
	}
	return ps
}

// Mains that fail so often within so long are flapping: a loose plug, a generator,
// a UPS that is too sensitive. One storm is less.
const (
	flapMany   = 5
	flapWithin = time.Hour
)

// flapping remembers when the last outages began.
type flapping struct {
	outage string // the present one's id
	began  []power.Uptime
}

// note takes a state; only a new outage is news.
func (f *flapping) note(now power.Uptime, st power.State) {
	if st.Outage != "" && st.Outage != f.outage {
		f.began = append(f.began, now)
		f.began = f.began[max(0, len(f.began)-flapMany):]
	}
	f.outage = st.Outage
}

// until returns when it will have been long enough; false: it is.
func (f *flapping) until() (power.Uptime, bool) {
	if len(f.began) < flapMany {
		return 0, false
	}
	return f.began[0].Add(flapWithin), true
}

// many reports whether there were too many outages within the time.
func (f *flapping) many(now power.Uptime) bool {
	at, ok := f.until()
	return ok && now.Before(at)
}
