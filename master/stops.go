package master

import (
	"maps"
	"time"

	"github.com/lastwatt/lastwatt/master/proof"
)

// measure takes the measured stop times of all nodes.
func (h *hub) measure(all map[string]proof.StopTime) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if maps.Equal(h.stops, all) {
		return
	}
	h.stops = all
	h.wakeSessions()
}

// stopTime returns the measured stop time that counts for a node, in place of what its
// owner wrote; 0: that counts. What is only known to be longer than measured shortens
// nothing. h.mu is held.
func (h *hub) stopTime(n *nodeRecord) time.Duration {
	m := h.stops[n.name]
	wrote := n.hello.GetPolicy().GetStopTime()
	if !m.Sure && (wrote == nil || m.Takes <= wrote.AsDuration()) {
		return 0
	}
	return m.Takes
}
