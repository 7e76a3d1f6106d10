package master

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
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
	goes   []string // its power-off methods
	now    func() power.Uptime
}

// newHost makes the own host known to the hub.
func newHost(own Host, master string, h *hub, d *node.Driver, now func() power.Uptime) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nodes[own.Name] = &nodeRecord{
		name: own.Name, role: own.Role, host: true, link: power.LinkUp, wake: make(chan struct{}, 1),
		waitFor: own.Settings.WaitFor, waitLimit: own.Settings.WaitLimit,
		hello: &upsv1.Hello{
			Role: own.Role, WaitFor: own.Settings.WaitFor, WaitLimit: durationpb.New(own.Settings.WaitLimit),
			Policy: api.FromPolicy(own.Settings.Policy(), own.Settings.Need),
		},
	}
	h.waits = nil
	return &host{name: own.Name, master: master, hub: h, driver: d, goes: own.Settings.Methods, now: now}
}

// String names the task.
func (h *host) String() string { return "feed of this host" }

// Run hands every change of the hub to the driver and back, until ctx ends.
func (h *host) Run(ctx context.Context) error {
	h.hub.mu.Lock()
	wake := h.hub.nodes[h.name].wake
	h.hub.mu.Unlock()
	beat := time.NewTimer(0)
	defer beat.Stop()
	end := time.NewTimer(0)
	defer end.Stop()
	for {
		u := h.hub.feedFor(h.name)
		u.Master, u.Drill = h.master, h.hub.drillFor(h.name)
		h.driver.Update(u)
		if len(u.Awaited.Up) > 0 && h.hub.inOutage() || len(u.Drill.Awaited.Up) > 0 {
			beat.Reset(h.hub.tempo()) // some count as off by time alone
		}
		snap := h.driver.Snapshot()
		r := api.FromView(snap.View, snap.Problems, h.now())
		r.Feeds = snap.Feeds
		r.StopTime, r.Methods, r.Wake = durationpb.New(snap.StopTime), h.goes, snap.Wake
		r.Drill = snap.Drill.ID != "" && !snap.Drill.Over
		h.hub.hostReport(h.name, r)
		h.hub.hostDrillReport(h.name, api.FromDrillReport(snap.Drill))
		if next, timed := h.hub.tickFleet(); timed {
			end.Reset(next)
		}
		select {
		case <-wake:
		case <-beat.C:
		case <-end.C:
		case <-h.driver.Changed():
		case <-ctx.Done():
			return nil
		}
	}
}
