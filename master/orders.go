package master

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// setOrders changes the order of each node by change, which returns an error to
// refuse; nothing is changed unless all agree.
func (h *hub) setOrders(names []string, change func(*nodeRecord) (policy.Order, error)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	orders := make([]policy.Order, len(names))
	for i, name := range names {
		n := h.nodes[name]
		if n == nil {
			return unknownNode{name, slices.Sorted(maps.Keys(h.nodes))}
		}
		var err error
		if orders[i], err = change(n); err != nil {
			return err
		}
	}
	for i, name := range names {
		n := h.nodes[name]
		n.order, n.orderOf = orders[i], n.boot
		switch n.order.Kind {
		case policy.OrderShutdown:
			n.sent = n.boot
		case policy.OrderNone:
			n.sent = ""
		case policy.OrderHold, policy.OrderEnd: // neither sends it down for good
		}
	}
	h.wakeSessions()
	h.wakeWatchers()
	return nil
}

// peoples returns what people want of a node now; an expired hold is nothing. h.mu is
// held.
func (h *hub) peoples(n *nodeRecord) policy.Order {
	if n.order.Kind == policy.OrderHold && !n.order.Until.After(h.now()) {
		return policy.Order{}
	}
	return n.order
}

// unknownNode says that there is no node of that name.
type unknownNode struct {
	name  string
	known []string
}

// Error names the nodes there are.
func (e unknownNode) Error() string {
	return fmt.Sprintf("there is no node %q; the nodes are %q", e.name, e.known)
}
