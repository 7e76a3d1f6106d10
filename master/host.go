package master

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// host is the node that the master's own machine is: the same Driver as an
// agent's, fed by the hub instead of a stream.
type host struct {
	name   string
	master string
	hub    *hub
	driver *node.Driver
	now    func() power.Uptime
}

// newHost makes the own host known to the hub.
func newHost(name, role, master string, h *hub, d *node.Driver, now func() power.Uptime) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nodes[name] = &nodeRecord{name: name, role: role, host: true, link: power.LinkUp, wake: make(chan struct{}, 1)}
	return &host{name: name, master: master, hub: h, driver: d, now: now}
}

// String names the task.
func (h *host) String() string { return "feed of this host" }

// Run hands every change of the hub to the driver and back, until ctx ends.
func (h *host) Run(ctx context.Context) error {
	h.hub.mu.Lock()
	wake := h.hub.nodes[h.name].wake
	h.hub.mu.Unlock()
	for {
		states, order := h.hub.feedFor(h.name)
		h.driver.Update(node.Update{Master: h.master, Link: power.LinkUp, UPS: states, Order: order})
		snap := h.driver.Snapshot()
		r := api.FromView(snap.View, "node/"+h.name, h.now())
		r.Problems = api.FromProblems("node/"+h.name, snap.Problems)
		r.Feeds = snap.Feeds
		r.StopTime = durationpb.New(snap.StopTime)
		h.hub.hostReport(h.name, r)
		select {
		case <-wake:
		case <-h.driver.Changed():
		case <-ctx.Done():
			return nil
		}
	}
}
