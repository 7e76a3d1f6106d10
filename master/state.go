package master

import (
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// runState is what a restarted master must know of this boot: the age of the
// outage, the battery's account, the holds, who is up. It lies in run and is worth nothing
// after a boot.
type runState struct {
	Boot   string                             `json:"boot"`
	UPS    map[string]power.QualifierSnapshot `json:"ups"`
	Orders map[string]order                   `json:"orders"`
	Up     map[string]upState                 `json:"up"`
	// Disabled are the UPSes that somebody said not to look at.
	Disabled map[string]disabling `json:"disabled,omitempty"`
}

// order is an operator's order to one node.
type order struct {
	Kind  policy.OrderKind `json:"kind"`
	By    string           `json:"by"`
	Until power.Uptime     `json:"until"`
	// Of is the boot of the node that a shutdown order is for: it is not for the
	// next, in which the node is back.
	Of string `json:"of"`
}

// runState copies what must outlive a restart.
func (h *hub) runState(boot string) runState {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := runState{Boot: boot, UPS: map[string]power.QualifierSnapshot{}, Orders: map[string]order{}, Up: h.upNow(), Disabled: map[string]disabling{}}
	for _, u := range h.ups {
		s.UPS[u.name] = u.snapshot
		if u.disabled.By != "" {
			s.Disabled[u.name] = u.disabled
		}
	}
	for name, n := range h.nodes {
		if o := h.peoples(n); o.Kind != policy.OrderNone {
			s.Orders[name] = order{Kind: o.Kind, By: o.By, Until: o.Until, Of: n.orderOf}
		}
	}
	return s
}

// restoreOrders puts back the orders of this boot, for the nodes known so far.
func (h *hub) restoreOrders(s runState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, o := range s.Orders {
		if n := h.nodes[name]; n != nil && n.order.Kind == policy.OrderNone && n.session == nil {
			n.order, n.orderOf = policy.Order{Kind: o.Kind, By: o.By, Until: o.Until}, o.Of
		}
	}
}

// loadLimit is how long a start waits for a state file: a hanging disk must not
// keep the UPS from being watched.
const loadLimit = time.Second

// loadRunState reads what an earlier run on this boot left; anything else is
// nothing, and said.
func loadRunState(file loader, boot string, log *slog.Logger) runState {
	r, soon := inTime(load[runState](file))
	switch {
	case !soon:
		log.Error("the disk does not answer; beginning without the state of an earlier run")
	case r.lost():
		log.Warn("cannot read the state of an earlier run; beginning anew", "err", r.err)
	case r.v.Boot == boot:
		return r.v
	}
	return runState{}
}

// loader is a state file that can be read.
type loader interface{ Load(v any) error }

// loaded is what a state file held.
type loaded[T any] struct {
	v   T
	err error
}

// inTime returns what is read within loadLimit; false: it comes later, or never.
func inTime[T any](late <-chan loaded[T]) (l loaded[T], soon bool) {
	t := time.NewTimer(loadLimit)
	defer t.Stop()
	select {
	case l = <-late:
		return l, true
	case <-t.C:
		return l, false
	}
}

// lost reports whether there is something that can't be read.
func (l loaded[T]) lost() bool { return l.err != nil && !errors.Is(l.err, fs.ErrNotExist) }

// load reads a state file without waiting for the disk.
func load[T any](file loader) <-chan loaded[T] {
	done := make(chan loaded[T], 1)
	go func() {
		var l loaded[T]
		l.err = file.Load(&l.v)
		done <- l
	}()
	return done
}
