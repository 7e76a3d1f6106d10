package master

import (
	"slices"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// sealedFor takes which UPSes this machine's late unit is to cut when it goes down.
func (v *recovery) sealedFor(ups []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sealed && slices.Equal(v.cuts, ups) {
		return
	}
	v.cuts, v.sealed = ups, true
	v.keep()
}

// stillUp returns what else is known of those who are gone or may be soon: of whoever this
// run has not heard what an earlier one knew. v.mu is held.
func (v *recovery) stillUp() map[string]upState {
	v.m.hub.mu.Lock()
	now := v.m.hub.upNow()
	v.m.hub.mu.Unlock()
	up := map[string]upState{}
	for name := range v.r.State().Nodes {
		if s, heard := now[name]; heard {
			up[name] = s
		} else if s, known := v.up[name]; known {
			up[name] = s
		}
	}
	v.up = up
	return up
}

// fell makes known who went in the outage in which this machine went too. Neither when they
// went nor how long it was off is known here, nor whether the load was cut in the end or the
// mains came first: so each may have gone just now, and is off when its stop time is over,
// unless it answers. Who had not asked, and is on no UPS that was to be cut, is still up for
// all that is known while the same outage goes on, and else may boot as this machine does.
// v.mu is held.
func (v *recovery) fell(old keptRecovery) {
	if old.Boot == v.m.boot {
		if !v.sealed {
			v.cuts = old.Cuts
		}
		v.up = old.Up
		return
	}
	h := v.m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, a := range old.Recovery.Nodes {
		was := old.Up[name]
		cut := was.Cut != 0 || slices.ContainsFunc(a.UPS, func(ups string) bool { return slices.Contains(old.Cuts, ups) })
		now := max(h.now(), 1) // 0 would be never
		was.Attached, was.Heard, was.Answered, was.Cut, was.Committed = false, 0, 0, 0, now
		was.Phase, was.StopTime = policy.Done, max(was.StopTime, a.StopTime)
		switch {
		case cut:
			was.Cut = now
		case !a.Committed:
			was.Phase, was.Committed, was.Heard, was.Outage = policy.Grace, 0, now, a.Outage
		}
		v.up[name] = was
		h.recall(name, was)
		if n := h.nodes[name]; was.Committed == 0 && !n.ever {
			n.alive = now
		}
	}
}
