package history

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// ReportWait is how long after an outage its report waits for those who went: a
	// machine that takes longer to come back has got stuck.
	ReportWait = 15 * time.Minute
	// reportOld is how many reports that were never told a start tells at most.
	reportOld = 3
)

// Reporter decides when an outage's report is due. It is pure.
type Reporter struct {
	fold  *Fold
	boot  string
	ended map[string]power.Uptime // outages that are over and not told
}

// NewReporter returns one that knows of no outage, on a machine in that boot.
func NewReporter(f *Fold, boot string) *Reporter {
	return &Reporter{fold: f, boot: boot, ended: map[string]power.Uptime{}}
}

// Add takes what was written before, of which nothing is due yet.
func (r *Reporter) Add(e journal.Entry) { r.fold.Add(e) }

// Step takes what happened since and returns the outages of which there is to report: that
// they are over, with everyone back or after a while, once; and where somebody was not back
// by then, that everyone is, once. [Outage.Report] says it.
func (r *Reporter) Step(now power.Uptime, entries ...journal.Entry) (due []*Outage) {
	for _, e := range entries {
		r.fold.Add(e)
	}
	for _, o := range r.fold.all {
		if o.told && o.late != nil && !o.amended && !o.waits() {
			o.amended = true
			due = append(due, o)
		}
		if !o.over || o.told {
			continue
		}
		if _, ok := r.ended[o.ID]; !ok {
			r.ended[o.ID] = now
			if o.end != nil && o.end.boot == r.boot {
				r.ended[o.ID] = min(now, o.end.at)
			}
		}
		if !o.waits() || !now.Before(r.ended[o.ID].Add(ReportWait)) {
			r.fold.told(o)
			due = append(due, o)
		}
	}
	for id := range r.ended {
		if o := r.fold.byID[id]; o == nil || o.told {
			delete(r.ended, id)
		}
	}
	return due
}

// Deadline returns when Step has something to do even if nothing happens.
func (r *Reporter) Deadline() (at power.Uptime, ok bool) {
	for _, since := range r.ended {
		if due := since.Add(ReportWait); !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// CatchUp says that all was Added. What nobody was told of until then is old news by now,
// but for the newest.
func (r *Reporter) CatchUp() {
	fresh := reportOld
	for _, o := range slices.Backward(r.fold.all) {
		if o.over && !o.told {
			fresh--
			o.told = fresh < 0
		}
		o.amended = o.amended || o.late != nil && !o.waits()
	}
}
