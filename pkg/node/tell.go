package node

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// outage is the one that this node is in, or was in last, for its report.
type outage struct {
	began power.Uptime
	open  bool
	went  bool // a power-off was asked for in it
}

// announce runs the hooks of a notice and hands it to whoever tells people
// elsewhere.
func (d *Driver) announce(n Notice) {
	n.UPS, n.Outage = d.deciding(), d.real().Outage
	d.runHooks(n)
	if d.o.Tell != nil {
		d.o.Tell(n)
	}
}

// happened runs the hooks of an event of the power and tells of it.
func (d *Driver) happened(e policy.Event) {
	d.announce(Notice{Event: e, Text: d.inWords(e)})
	now := d.o.Now()
	switch e {
	case policy.EventFail:
		d.outage = outage{began: now, open: true}
	case policy.EventCommit:
		d.outage.went = true
	case policy.EventOK:
		if d.outage.open {
			d.outage.open = false
			text := "on battery for " + now.Sub(d.outage.began).Round(time.Second).String()
			if d.outage.went {
				text += "; this machine was going down, and the power came back in time"
			} else {
				text += "; this machine stayed up"
			}
			d.announce(Notice{Event: policy.EventReport, Text: text})
		}
	default: // not about where an outage begins or ends
	}
}

// inWords says what an event means for this machine, as it stands now.
func (d *Driver) inWords(e policy.Event) string {
	v := d.m.View()
	goes := ""
	if v.Timed && v.Phase == policy.Grace {
		goes = "; this machine goes down in " + v.Deadline.Sub(d.o.Now()).Round(time.Second).String() + " unless power returns"
	}
	switch e {
	case policy.EventFail:
		return "on battery" + goes
	case policy.EventBatLow:
		return "the battery is low" + goes
	case policy.EventOK:
		return "power is back"
	case policy.EventGrace:
		return "counting down" + goes
	case policy.EventCancel:
		return "the countdown is over: " + v.Reason
	case policy.EventCommit:
		return "going down now: " + v.Reason
	default:
		return string(e)
	}
}
