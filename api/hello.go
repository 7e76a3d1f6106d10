package api

import (
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// BoundHello does the same with what a node says first.
func BoundHello(h *upsv1.Hello) {
	h.Role, h.Version = Cut(h.GetRole(), maxName), Cut(h.GetVersion(), maxName)
	h.BootId, h.Listen = Cut(h.GetBootId(), maxName), Cut(h.GetListen(), maxName)
	h.WaitFor = h.WaitFor[:min(len(h.WaitFor), maxWaitFor)]
	for i := range h.WaitFor {
		h.WaitFor[i] = Cut(h.WaitFor[i], 2*maxName)
	}
	h.WaitLimit = durationpb.New(positive(h.GetWaitLimit()))
	h.Virtualization = Cut(h.GetVirtualization(), maxName)
	h.Macs = slices.DeleteFunc(h.Macs, func(m []byte) bool { return len(m) != 6 }) // IEEE 802 MAC-48
	h.Macs = h.Macs[:min(len(h.Macs), maxMACs)]
}

// maxMACs bounds the network cards of one machine: more are not tried one by one.
const maxMACs = 32

// FromPolicy returns how a node decides, for the wire.
func FromPolicy(c policy.Config, need int) *upsv1.Policy {
	return &upsv1.Policy{
		Grace: durationpb.New(c.Grace), GraceBatlow: c.GraceBatLow, GraceMin: durationpb.New(c.GraceMin),
		BatlowGrace: durationpb.New(c.BatLowGrace), WaitLimitBatlow: durationpb.New(c.WaitLimitBatLow),
		LostLimit: durationpb.New(c.LostLimit), Need: uint32(max(1, need)), ObeySim: c.ObeySim,
		StopTime: durationpb.New(c.StopTime),
	}
}

// ToPolicy is what of a node's configuration its hello tells; the rest stays zero.
// Negative durations count as none.
func ToPolicy(h *upsv1.Hello) (c policy.Config, need int) {
	p := h.GetPolicy()
	return policy.Config{
		Grace: positive(p.GetGrace()), GraceBatLow: p.GetGraceBatlow(), GraceMin: positive(p.GetGraceMin()),
		BatLowGrace: positive(p.GetBatlowGrace()), WaitFor: len(h.GetWaitFor()) > 0, WaitLimit: positive(h.GetWaitLimit()),
		WaitLimitBatLow: positive(p.GetWaitLimitBatlow()), LostLimit: positive(p.GetLostLimit()), ObeySim: p.GetObeySim(),
		StopTime: positive(p.GetStopTime()),
	}, max(1, int(p.GetNeed()))
}
