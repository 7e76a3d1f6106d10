package master

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/master/proof"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// make returns the seal as of now, and whether it lets this host's own UPS be waited for:
// else it is not the power that makes the host go. was is the one that stands: nobody's
// time gets shorter by what is heard later, and a UPS that was on mains meanwhile, or that
// nobody can say of when it may be cut, is not cut any more. UPSes that are not this
// host's own are then left out; it waits for its own to be on mains.
func (s *seals) make(was *cut.Seal) (seal cut.Seal, own bool) {
	now, cuts := s.hub.cutsNow()
	seal = cut.Seal{Boot: s.boot, Made: now}
	if was != nil {
		seal.Made = was.Made
	}
	last := now.Add(s.hub.hostStop())
	for _, u := range s.ups {
		i := slices.IndexFunc(cuts, func(c cutNow) bool { return c.name == u.Name })
		next := cut.Sealed{Name: u.Name, Port: u.Port, Cable: u.Cable, NotBefore: now.Add(sealNever)}
		if i >= 0 && wired(u.Port) {
			next.Outage, next.Own = cuts[i].outage, cuts[i].own
			next.EmptyBy = now.Add(outlasts(cuts[i].runtime))
			if len(cuts[i].Blocked) == 0 {
				next.NotBefore = max(cuts[i].NotBefore, seal.Made) // the clock goes on meanwhile
			}
		}
		if was != nil {
			next = s.later(*was, next, now)
		}
		switch {
		case next.Outage == "" || never(next, now) && !next.Own:
			continue
		case !never(next, now):
			last = max(last, next.NotBefore)
		}
		own = own || next.Own
		seal.UPS = append(seal.UPS, next)
	}
	seal.Expires = last.Add(sealSpare)
	return seal, own
}

// later returns what of a UPS is sealed from now on.
func (s *seals) later(was cut.Seal, next cut.Sealed, now power.Uptime) cut.Sealed {
	i := slices.IndexFunc(was.UPS, func(u cut.Sealed) bool { return u.Name == next.Name })
	if i < 0 {
		next.Outage = "" // it began to fail when all was decided
		return next
	}
	old := was.UPS[i]
	switch {
	case never(old, now):
	case next.Outage != old.Outage || slices.Contains(s.back, old.Outage):
		old.NotBefore = now.Add(sealNever)
	default:
		old.NotBefore = max(old.NotBefore, next.NotBefore)
	}
	return old
}

// never reports whether a UPS is sealed so that it is not cut.
func never(u cut.Sealed, now power.Uptime) bool { return u.NotBefore.After(now.Add(sealNever / 2)) }

// words says in words what is sealed.
func (s *seals) words(seal cut.Seal) string {
	now, cuts := s.hub.cutsNow()
	var all []string
	for _, c := range cuts {
		all = append(all, cutWords(c.Cut, now))
	}
	return fmt.Sprintf("sealed for %s: %s", seal.Expires.Sub(now).Round(time.Second), strings.Join(all, "; "))
}

// cutNow is a UPS that is on battery, for its seal.
type cutNow struct {
	policy.Cut
	name   string // without its master's
	outage string
	own    bool // the host lives on it
	// runtime is how long its battery lasts when it is full; 0: unknown.
	runtime time.Duration
}

const (
	// lightLoad is how much longer a battery lasts when nearly everybody is off. By APC's
	// run time table for a Smart-UPS of 1000 VA: 5.8 min at full load, 98 at a tenth of
	// it, 167 at a twentieth.
	lightLoad = 30
	// outlastLeast and outlastMost are how long after the seal, and after the battery's
	// runtime, who still runs is taken to be on no battery at all.
	outlastLeast = time.Hour
	outlastMost  = 24 * time.Hour
)

// outlasts returns for how long a battery may feed the last machine at the very most.
func outlasts(runtime time.Duration) time.Duration {
	if runtime <= 0 {
		return outlastMost
	}
	return max(outlastLeast, min(lightLoad*runtime, runtime+outlastMost))
}

// cutsNow returns when each UPS may be cut, and by which moment's knowledge.
func (h *hub) cutsNow() (now power.Uptime, all []cutNow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	host := h.ownHost()
	for _, c := range h.cuts() {
		for _, u := range h.ups {
			if name := h.name + "/" + u.name; name == c.UPS {
				own := len(host.feeds) == 0 || slices.Contains(host.feeds, name)
				all = append(all, cutNow{c, u.name, u.state.Outage, own, u.state.Runtime})
			}
		}
	}
	return h.now(), all
}

// allGood reports whether every UPS is seen to be on mains, and nobody wants the own host
// down: whatever made it go is over.
func (h *hub) allGood() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	host := h.ownHost()
	return host != nil && !host.ordered() && !slices.ContainsFunc(h.ups, func(u upsRecord) bool { return u.state.Status != power.OK })
}

// hostStop returns how long the own host takes to be off.
func (h *hub) hostStop() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.ownHost(); n != nil {
		return n.report.GetStopTime().AsDuration()
	}
	return 0
}

// hostDone reports whether the own host says that its power-off was accepted.
func (h *hub) hostDone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.ownHost()
	return n != nil && h.standingOf(n).Phase == policy.Done
}

// sealedFor takes which UPSes this machine's late unit is to cut when it goes down.
func (m *Master) sealedFor(all []cut.Sealed) {
	var names []string
	sealed := map[string]proof.Sealed{}
	for _, u := range all {
		names = append(names, u.Name)
		if left := m.hub.left(u.Name); left > 0 && u.Cable.Kill.Exists() {
			sealed[u.Name] = proof.Sealed{Outage: u.Outage, Wall: time.Now(), Lasts: left / 2}
		}
	}
	m.recovery.sealedFor(names)
	m.proving.sealed(sealed)
}

// left returns for how long the battery of a UPS will last; 0: it is empty, or nobody knows.
func (h *hub) left(ups string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.ups, func(u upsRecord) bool { return u.name == ups })
	if i < 0 {
		return 0
	}
	u, now := h.ups[i], h.now()
	switch s := u.state; {
	case !s.Status.OnBattery():
		return 0
	case s.Status == power.BatLow:
		return max(0, u.battery.Reserve-now.Sub(s.Since))
	case s.Runtime > 0:
		return max(0, s.Runtime-s.Debt-now.Sub(s.OutageSince))
	case s.HasLow:
		return u.battery.Reserve // it has not even said low
	default:
		return 0
	}
}
