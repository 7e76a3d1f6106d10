package master

import (
	"context"
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
	q    *power.Qualifier
	now  func() power.Uptime
	tell func(upsRecord) // never blocks
}

// String names the task.
func (u *upsRunner) String() string { return "ups " + u.name }

// Run feeds the qualifier until ctx ends.
func (u *upsRunner) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last sample
	seen := false
	for {
		var st power.State
		select {
		case last = <-u.src.Samples():
			seen = true
			st = u.q.Step(u.now(), last.signals)
		case <-timer.C:
			st = u.q.Tick(u.now())
		case <-ctx.Done():
			return nil
		}
		if !seen && st.Reason == "" && st.Status == power.Unknown {
			st.Reason = u.unseen()
		}
		st.Sim = u.sim
		u.tell(upsRecord{name: u.name, state: st, snapshot: u.q.Snapshot(), lines: last.lines, problems: u.problems(st)})
		timer.Stop()
		if at, ok := u.q.Deadline(); ok {
			timer.Reset(max(0, at.Sub(u.now())))
		}
	}
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
	return ps
}
