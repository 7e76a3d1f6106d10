package node

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// stopMost bounds what a master may say of this machine's stop time: as much as its
// owner may write.
const stopMost = time.Hour

// config returns what the machine works by: what the owner wrote, with the stop time as
// it was measured.
func (d *Driver) config() policy.Config {
	c := d.o.Settings.Policy()
	c.Methods = len(d.o.Chain)
	c.StopTime = d.stopTime()
	return c
}

// stopTime returns how long this machine takes to be off once asked.
func (d *Driver) stopTime() time.Duration {
	if d.measured > 0 {
		return d.measured
	}
	return d.o.Settings.StopTime
}

// measure takes what the masters have measured: the longest. An outage that has begun
// keeps its deadline. Until a master is heard in this run what was known before counts.
func (d *Driver) measure() {
	if !d.ordered {
		return
	}
	var longest time.Duration
	for _, u := range d.told {
		longest = max(longest, min(u.StopTime, stopMost))
	}
	if longest == d.measured {
		return
	}
	d.measured = longest
	d.o.Log.Info("this machine's stop time", "node", d.o.Name, "is", d.stopTime().String(), "measured", longest > 0)
	for _, a := range d.m.Configure(d.o.Now(), d.config()) {
		d.act(a)
	}
}

// stopTold returns the stop time that counts of a master's update: silence takes
// nothing back.
func stopTold(u, old Update) time.Duration {
	if u.Link != power.LinkUp {
		return old.StopTime
	}
	return u.StopTime
}
