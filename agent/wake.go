package agent

import (
	"net"

	"github.com/lastwatt/lastwatt/pkg/node"
)

// Waking is this machine, as far as it can be woken.
type Waking interface {
	node.Waking
	// Addresses returns the hardware addresses by which it can be woken.
	Addresses() ([]net.HardwareAddr, error)
}

// macs returns the hardware addresses of this machine's network cards, for whoever wakes
// it.
func (a *Agent) macs() [][]byte {
	all, err := a.waking.Addresses()
	if err != nil {
		a.log.Warn("nobody can wake this machine by its network cards", "err", err)
	}
	var out [][]byte
	for _, m := range all {
		out = append(out, m)
	}
	return out
}
