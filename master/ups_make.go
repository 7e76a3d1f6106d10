package master

import (
	"os"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// debtSave is how often the battery's account is saved while it is owed something:
// what is recharged in between is forgotten at a crash, which is the safe side.
const debtSave = time.Minute

// addUPS puts one UPS together.
func (m *Master) addUPS(u UPS, o Options) {
	m.hub.addUPS(u.Name, u.Cable.Name)
	r := &upsRunner{name: u.Name, cfg: u, now: m.now, sim: u.Port == SimPort, bare: u.Port == "", asks: make(chan func(), 1), does: make(chan func() func()), off: m.state.Disabled[u.Name], mute: wired(u.Port) && u.Cable.PulledAtComputer().Silent(), q: power.NewQualifier(u.Qualifier(m.boot))}
	var saved power.Uptime
	off := r.off
	r.tell = func(rec upsRecord) {
		m.seals.before(rec.name, rec.state)
		now := m.now()
		if off.By != "" && rec.disabled.By == "" {
			m.event("ups/"+u.Name, "enabled", "it is looked at again")
		}
		off = rec.disabled
		inDebt := rec.snapshot.Debt > 0 && now.Sub(saved) > debtSave
		if m.hub.setUPS(rec) || inDebt {
			saved = now
			m.save()
		}
	}
	snapshot := m.state.UPS[u.Name]
	sameBoot := snapshot.At > 0 // else it was not looked at
	if wired(u.Port) {
		m.batteries.recall(r.name, r.q, sameBoot)
	}
	if sameBoot {
		r.q.Restore(m.now(), snapshot)
	}
	switch {
	case r.sim:
		sim := newSimSource()
		m.sims[u.Name], r.src = sim, sim
	case r.bare:
		r.src = noSource{}
	default:
		name := "ups-" + u.Name
		file := m.ports.take(name, u.Port)
		r.held = file != nil
		r.src = newLineSource(line.WatcherOptions{
			Path: u.Port, Cable: u.Cable, Log: m.log.With("ups", u.Name),
			Open:   o.OpenPort,
			File:   file,
			OnOpen: func(f *os.File) { m.ports.store(name, f) },
			OnEnd:  func(f *os.File) { m.ports.keep(name, f) },
		})
	}
	if wired(u.Port) {
		m.batteries.run = append(m.batteries.run, r)
	}
	m.goOn(r, o.Before)
	m.runners = append(m.runners, r)
}
