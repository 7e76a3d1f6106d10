package master

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// readLimit is how long the reports wait for the old entries at the start. The price
// of a disk that hangs: what was told before the restart may be told again.
const readLimit = 30 * time.Second

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
	t.m.events.add(history.Event{On: "master/" + t.m.cfg.Name, Kind: history.KindStart, Text: "upsmaster " + t.m.version + " begins", UPS: t.m.upsNames()})
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
		var due []*history.Outage
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
		for _, o := range due {
			t.report(ctx, o)
		}
		timer.Stop()
		if at, ok := r.Deadline(); ok {
			timer.Reset(max(0, at.Sub(t.m.now())))
		}
	}
}

// caughtUp is what was on disk when a start read it.
type caughtUp struct {
	r    *history.Reporter
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
			c.r.Add(e)
			c.last = max(c.last, e.Seq)
			if e.Boot == t.m.boot && power.Uptime(e.At) >= began {
				c.now[identity(e)] = true
			}
			return ctx.Err()
		})
		if err != nil && ctx.Err() == nil {
			t.m.log.Warn("some of the journal can't be read; reports go without it", "err", err)
		}
		c.r.CatchUp()
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

func (t *reports) newReporter() *history.Reporter {
	return history.NewReporter(history.NewFold(t.m.cfg.Name, time.Local), t.m.boot)
}

// report writes an outage's report and then tells it: whoever was told of it twice
// would look for a second outage.
func (t *reports) report(ctx context.Context, o *history.Outage) {
	text, amends := o.Report()
	e := history.Event{On: "ups/" + o.UPS, Kind: history.KindReport, Text: text, Outage: o.ID, Amends: amends}
	select {
	case <-t.m.events.add(e):
		t.tell(o.ID, e.Text)
	case <-ctx.Done():
	}
}
