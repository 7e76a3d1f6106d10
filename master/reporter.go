package master

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// reportWait is how long after an outage its report waits for those who went: a
	// machine that takes longer to come back has got stuck.
	reportWait = 15 * time.Minute
	// reportOld is how many reports that were never told a start tells at most.
	reportOld = 3
	// readLimit is how long the reports wait for the old entries at the start. The
	// price of a disk that hangs: what was told before the restart may be told again.
	readLimit = 30 * time.Second
)

// reporter decides when an outage's report is due. It is pure.
type reporter struct {
	fold  *fold
	boot  string
	ended map[string]power.Uptime // outages that are over and not told
}

func newReporter(f *fold, boot string) *reporter {
	return &reporter{fold: f, boot: boot, ended: map[string]power.Uptime{}}
}

// Step takes what happened since and returns the outages whose report is due: over,
// with everyone back or after a while. Each is returned once.
func (r *reporter) Step(now power.Uptime, entries ...journal.Entry) (due []string) {
	for _, e := range entries {
		r.fold.add(e)
	}
	for _, o := range r.fold.all {
		if !o.over || o.told {
			continue
		}
		if _, ok := r.ended[o.id]; !ok {
			r.ended[o.id] = now
			if o.end != nil && o.end.boot == r.boot {
				r.ended[o.id] = min(now, o.end.at)
			}
		}
		if !o.waits() || !now.Before(r.ended[o.id].Add(reportWait)) {
			o.told = true
			due = append(due, o.id)
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
func (r *reporter) Deadline() (at power.Uptime, ok bool) {
	for _, since := range r.ended {
		if due := since.Add(reportWait); !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// catchUp takes what was written before this start. What nobody was told of then is
// old news by now, but for the newest.
func (r *reporter) catchUp() {
	fresh := reportOld
	for _, o := range slices.Backward(r.fold.all) {
		if o.over && !o.told {
			fresh--
			o.told = fresh < 0
		}
	}
}

// reports tells the report of each outage that is over, once, restarts of the master
// in between or not: what was told is in the journal.
type reports struct {
	m    *Master
	tell func(outage, text string) // never blocks
}

// String names the task.
func (t *reports) String() string { return "reports" }

// Run follows the journal until ctx ends.
func (t *reports) Run(ctx context.Context) error {
	began := t.m.now()
	t.m.events.add(event{On: "master/" + t.m.cfg.Name, Kind: kindStart, Text: "upsmaster " + t.m.version + " begins", UPS: t.m.upsNames()})
	entries, ended := make(chan journal.Entry), make(chan struct{})
	go func() {
		defer close(ended)
		// All that is in memory: what is recorded while the disk is read waits there.
		_ = t.m.journal.Follow(ctx, math.MaxInt32, true, func(e journal.Entry) error {
			select {
			case entries <- e:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
	}()
	defer func() { <-ended }()
	old := t.catchUp(ctx, began)
	r := old.r
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due []string
		select {
		case e := <-entries:
			if old.written(e) {
				continue // before the timer is touched: it has the old ones' reports to look for
			}
			due = r.Step(t.m.now(), e)
		case <-timer.C:
			due = r.Step(t.m.now())
		case <-ctx.Done():
			return nil
		}
		for _, id := range due {
			t.report(ctx, r.fold.byID[id])
		}
		timer.Stop()
		if at, ok := r.Deadline(); ok {
			timer.Reset(max(0, at.Sub(t.m.now())))
		}
	}
}

// caughtUp is what was on disk when a start read it.
type caughtUp struct {
	r    *reporter
	last uint64          // the newest Seq
	now  map[string]bool // the entries of this process
}

// written reports whether e, from memory, was among them. An entry that was not on
// disk when it was copied has no Seq.
func (c *caughtUp) written(e journal.Entry) bool {
	if e.Seq > 0 {
		return e.Seq <= c.last
	}
	return c.now[identity(e)]
}

func identity(e journal.Entry) string { return fmt.Sprint(e.At, e.Name, string(e.Data)) }

// catchUp returns a reporter that knows what is on disk; began is when this process
// wrote its first entry.
func (t *reports) catchUp(ctx context.Context, began power.Uptime) *caughtUp {
	done := make(chan *caughtUp, 1)
	go func() {
		c := &caughtUp{r: t.newReporter(), now: map[string]bool{}}
		err := t.m.journal.Read(func(e journal.Entry) error {
			c.r.fold.add(e)
			c.last = max(c.last, e.Seq)
			if e.Boot == t.m.boot && power.Uptime(e.At) >= began {
				c.now[identity(e)] = true
			}
			return ctx.Err()
		})
		if err != nil && ctx.Err() == nil {
			t.m.log.Warn("some of the journal can't be read; reports go without it", "err", err)
		}
		c.r.catchUp()
		done <- c
	}()
	timer := time.NewTimer(readLimit)
	defer timer.Stop()
	select {
	case c := <-done:
		return c
	case <-timer.C:
		t.m.log.Error("the disk does not answer; reports go without what was written before")
	case <-ctx.Done():
	}
	return &caughtUp{r: t.newReporter()}
}

func (t *reports) newReporter() *reporter {
	return newReporter(newFold(t.m.cfg.Name, time.Local), t.m.boot)
}

// report writes an outage's report and then tells it: whoever was told of it twice
// would look for a second outage.
func (t *reports) report(ctx context.Context, o *outage) {
	e := event{On: "ups/" + o.ups, Kind: kindReport, Text: o.summary(), Outage: o.id}
	select {
	case <-t.m.events.add(e):
		t.tell(o.id, e.Text)
	case <-ctx.Done():
	}
}
