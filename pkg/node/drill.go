package node

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Drill is what a master pretends: level, in every update while it lasts. The zero
// value is no drill, and ends one.
type Drill struct {
	// ID never repeats.
	ID string
	// UPS are the pretended states; a UPS that is not here says what it says.
	UPS []NamedState
	// Awaited is who is still up, in the drill, of those that this machine waits for.
	Awaited policy.Awaited
	// Until is when it is over, whatever is heard.
	Until power.Uptime
}

// Equal reports whether d says the same as o.
func (d Drill) Equal(o Drill) bool {
	return d.ID == o.ID && d.Until == o.Until && d.Awaited.Equal(o.Awaited) && slices.Equal(d.UPS, o.UPS)
}

// drillKept is for how long a driver tells of its part in a drill that is over: a
// master hears of it with the next beat, and longer than that nobody asks.
const drillKept = time.Minute

// recordDrill is the name of the records of a drill's steps.
const recordDrill = "drill"

// drillRecord is what the machine would have done.
type drillRecord struct {
	Node   string `json:"node"`
	Drill  string `json:"drill"`
	To     string `json:"to,omitempty"` // a phase of the shadow
	What   string `json:"what,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// rehearsal is this machine's part in a drill: a shadow that decides, and the drill
// hooks. It belongs to Run's goroutine. The machine itself is never given anything of
// it, nor are its actions ever carried out (law 11).
type rehearsal struct {
	master  string
	shadow  *policy.Shadow // nil: no drill is on
	report  policy.DrillReport
	told    int             // steps of the shadow that are recorded
	back    bool            // the pretended power is back
	ctx     context.Context //nolint:containedctx // ends the hooks of this drill, which is not one call
	end     func()
	queue   []rehearsedEvent // whose hooks are still to be run
	running bool             // hooks run
	asked   bool             // the methods were asked whether they would work
	overAt  power.Uptime     // since when the report is the last word
}

// rehearsedEvent is an event of the shadow with what its hooks are told.
type rehearsedEvent struct {
	event policy.Event
	env   []string
}

// rehearse lets the shadow live through what a master pretends now. It comes after
// everything real: whoever is on battery has no time for it.
func (d *Driver) rehearse() {
	r, now := &d.rehearsal, d.o.Now()
	if r.shadow == nil {
		if master, offer := d.offered(); offer.ID != "" {
			d.beginRehearsal(master, offer)
		} else if r.report.Over && now.Sub(r.overAt) > drillKept {
			r.report = policy.DrillReport{}
		}
	}
	switch said := d.told[r.master].Drill; {
	case r.shadow == nil:
		return
	case d.inEarnest():
		d.endRehearsal(errReality)
		return
	case r.back || said.ID != r.report.ID || !now.Before(said.Until):
		d.pretendBack()
	default:
		d.pretend(policy.News{Power: d.pretended(said), Order: d.strongest(), Awaited: said.Awaited})
	}
	if r.back && !r.running && len(r.queue) == 0 {
		d.endRehearsal(nil)
	}
}

// offered returns a drill in which this machine has had no part yet.
func (d *Driver) offered() (master string, offer Drill) {
	now := d.o.Now()
	maps.DeleteFunc(d.rehearsed, func(_ string, until power.Uptime) bool { return until.Before(now) })
	for _, m := range slices.Sorted(maps.Keys(d.told)) {
		said := d.told[m].Drill
		if _, had := d.rehearsed[said.ID]; said.ID != "" && !had && now.Before(said.Until) {
			return m, said
		}
	}
	return "", Drill{}
}

// beginRehearsal begins, or says why not.
func (d *Driver) beginRehearsal(master string, offer Drill) {
	d.rehearsal = rehearsal{master: master, report: policy.DrillReport{ID: offer.ID}}
	d.rehearsed[offer.ID] = offer.Until
	r := &d.rehearsal
	if d.inEarnest() {
		d.refuseRehearsal(errEarnest)
		return
	}
	ctx, end, err := d.beginDrill(context.Background())
	if err != nil {
		d.refuseRehearsal(err)
		return
	}
	r.ctx, r.end = ctx, end
	state, link := d.feeds.Combined()
	r.shadow = policy.NewShadow(d.o.Now(), d.config(), offer.ID, policy.Power{State: state, Link: link}, d.strongest())
	d.o.Log.Info("a drill begins", "node", d.o.Name, "drill", offer.ID, "master", master)
	d.record(recordDrill, drillRecord{Node: d.o.Name, Drill: offer.ID, What: "begins"})
}

func (d *Driver) refuseRehearsal(why error) {
	r := &d.rehearsal
	r.report.LeftOut, r.report.Over, r.overAt = why.Error(), true, d.o.Now()
	d.o.Log.Info("no part in a drill", "node", d.o.Name, "drill", r.report.ID, "why", why)
}

// pretended returns what this machine would live on if what a master pretends were so.
func (d *Driver) pretended(said Drill) policy.Power {
	feeds := power.NewFeeds(d.o.Settings.Need, d.o.Settings.Feeds, d.o.Settings.ObeySim)
	for name, u := range d.told {
		for _, s := range u.UPS {
			if name == d.rehearsal.master {
				if i := slices.IndexFunc(said.UPS, func(p NamedState) bool { return p.Name == s.Name }); i >= 0 {
					s.State = said.UPS[i].State
				}
			}
			feeds.Update(name+"/"+s.Name, s.State, u.Link)
		}
	}
	state, link := feeds.Combined()
	return policy.Power{State: state, Link: link}
}

// pretendBack gives the shadow its power back, so that what the hooks did at the
// failure they undo.
func (d *Driver) pretendBack() {
	r := &d.rehearsal
	now := d.o.Now()
	if r.back {
		d.pretend(policy.Tick{})
		return
	}
	r.back = true
	if d.told[r.master].Link != power.LinkUp {
		r.report.LeftOut = "contact with the master was lost in the drill"
	}
	state, _ := d.feeds.Combined()
	state.Status, state.Last, state.Since, state.Outage, state.Reason = power.OK, power.OK, now, "", ""
	d.pretend(policy.News{Power: policy.Power{State: state, Link: power.LinkUp}, Order: d.strongest()})
}

// pretend gives the shadow an input and sees to what comes of it.
func (d *Driver) pretend(in policy.Input) {
	r := &d.rehearsal
	events := r.shadow.Step(d.o.Now(), in)
	is := r.shadow.Report()
	for _, s := range is.Steps[r.told:] {
		d.o.Log.Info("drill", "node", d.o.Name, "drill", is.ID, "phase", s.Phase.String(), "reason", s.Reason)
		d.record(recordDrill, drillRecord{Node: d.o.Name, Drill: is.ID, To: s.Phase.String(), Reason: s.Reason})
	}
	r.told = len(is.Steps)
	// Of hooks and methods only the driver knows.
	is.Ran, is.LeftAside, is.LeftOut = r.report.Ran, r.report.LeftAside, r.report.LeftOut
	is.Method, is.Cannot = r.report.Method, r.report.Cannot
	r.report = is
	for _, e := range events {
		d.rehearseHooks(e)
	}
	if is.Asked && !r.asked {
		d.rehearsePowerOff()
	}
	d.nextRehearsed()
}

// endRehearsal ends this machine's part; why is nil where it went through to the end.
func (d *Driver) endRehearsal(why error) {
	r := &d.rehearsal
	if why != nil {
		r.report.LeftOut = "the drill was ended: " + why.Error()
		if len(r.queue) > 0 || r.running {
			r.report.LeftOut += "; hooks were ended or left out"
		}
		d.mu.Lock()
		d.drills.end(why) // of this drill: there is one at a time
		d.mu.Unlock()
	}
	r.end()
	r.shadow, r.queue = nil, nil
	d.poke() // another may be waiting
	r.report.Over, r.overAt = true, d.o.Now()
	d.o.Log.Info("the drill is over", "node", d.o.Name, "drill", r.report.ID, "left out", r.report.LeftOut)
	d.record(recordDrill, drillRecord{Node: d.o.Name, Drill: r.report.ID, What: "over", Reason: r.report.LeftOut})
}

// stopRehearsal ends the hooks of a drill with the driver.
func (d *Driver) stopRehearsal() {
	if d.rehearsal.shadow != nil {
		d.rehearsal.end()
	}
}

// rehearsalDue returns when the shadow has to look again by itself.
func (d *Driver) rehearsalDue() (power.Uptime, bool) {
	r := &d.rehearsal
	if r.shadow == nil {
		return 0, false
	}
	at, ok := r.shadow.Deadline()
	if r.back {
		return at, ok
	}
	if until := d.told[r.master].Drill.Until; until != 0 && (!ok || until.Before(at)) {
		return until, true
	}
	return at, ok
}
