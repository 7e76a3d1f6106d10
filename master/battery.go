package master

import (
	"context"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// liveBeat is how often a battery that feeds the load is looked at and its account
	// saved: what a battery spends between the last time and its end nobody knows.
	liveBeat = 10 * time.Second
	// debtBeat is how often one is looked at that is being recharged, for its charge.
	debtBeat = time.Minute
	// restSave is how often that is saved: what is recharged in between is forgotten at
	// a boot, which is the safe side, and a small board's card lives longer.
	restSave = 10 * time.Minute
)

// batteryFile is what a boot must not forget of the batteries.
type batteryFile struct {
	Boot string                         `json:"boot"`
	UPS  map[string]power.BatteryRecord `json:"ups"`
	// Going: this machine was asked to power off. Ended: the master was stopped. Neither:
	// it died.
	Going bool `json:"going,omitempty"`
	Ended bool `json:"ended,omitempty"`
}

// batteries keeps each battery's account over a boot of this machine. It is a task.
type batteries struct {
	saver *journal.Saver
	hub   *hub
	boot  string
	now   func() power.Uptime
	log   *slog.Logger
	late  <-chan loaded[batteryFile] // nil: what was kept is here
	old   batteryFile
	lost  bool         // there was an account, and it can't be read, or not yet
	run   []*upsRunner // those that have a battery

	// What was saved last: Run's own.
	last    batteryFile
	savedAt power.Uptime
}

// newBatteries reads what an earlier run kept. A disk that hangs is not waited for: what
// it has comes late.
func newBatteries(m *Master, o Options) *batteries {
	b := &batteries{
		saver: o.saver(m.cfg.Data, "battery.json", "a boot forgets what the batteries owe and what outages have shown of them"),
		hub:   m.hub, boot: m.boot, now: m.now, log: m.log,
	}
	if o.Before != nil && o.Before.cfg.Data == m.cfg.Data {
		b.saver.Inherit(o.Before.batteries.saver)
	}
	b.late = load[batteryFile](b.saver)
	if l, soon := inTime(b.late); soon {
		b.take(l)
	} else {
		b.lost = true
		b.log.Error("the disk does not answer; nobody knows yet what the batteries owe")
	}
	return b
}

// take takes what the disk has.
func (b *batteries) take(l loaded[batteryFile]) {
	b.late = nil
	switch {
	case l.err == nil:
		b.old = l.v
	case l.lost():
		b.lost = true
		b.log.Warn("cannot read what the batteries owe: none is believed full or empty", "err", l.err)
	}
	b.last = b.old
}

// recall makes q, which is new, know of its battery what was kept; sameBoot: an earlier
// run on this boot has left the rest.
func (b *batteries) recall(name string, q *power.Qualifier, sameBoot bool) {
	r, ok := b.old.UPS[name]
	switch {
	case !ok && b.lost:
		q.Assume()
	case !ok: // nobody has seen it spend anything: an owner's grace counts from the first day
	case sameBoot:
		q.Learned(r)
	default:
		if b.old.Going {
			r.Outage = "" // this machine was put down and is up: the power was back
		}
		q.Recall(r, !b.old.Going && !b.old.Ended && b.old.Boot != b.boot)
	}
}

// String names the task.
func (b *batteries) String() string { return "batteries" }

// Run saves each account until ctx ends, and once more then.
func (b *batteries) Run(ctx context.Context) error {
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error { return b.saver.Run(saving) })
	b.follow(ctx)
	if now, ok := b.file(); ok && b.late == nil {
		now.Ended = true
		b.saver.Put(now)
	}
	stop()
	return g.Wait()
}

// follow looks whenever something changed.
func (b *batteries) follow(ctx context.Context) {
	wake, end := b.hub.watch()
	defer end()
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	for {
		select {
		case l := <-b.late:
			b.take(l)
			for _, u := range b.run {
				if _, ok := b.old.UPS[u.name]; ok && u.do(ctx, func() error { b.recall(u.name, u.q, false); return nil }) != nil {
					return
				}
			}
		case <-wake:
		case <-beat.C:
		case <-ctx.Done():
			return
		}
		if b.late == nil { // else it would be all that is left
			b.look()
		}
	}
}

// look saves what must be.
func (b *batteries) look() {
	now, ok := b.file()
	if since := b.now().Sub(b.savedAt); ok && now.differs(b.last, since) {
		b.saver.Put(now)
		b.last, b.savedAt = now, b.now()
	}
}

// differs reports whether f must be saved, so long after was.
func (f batteryFile) differs(was batteryFile, since time.Duration) bool {
	if f.Boot != was.Boot || f.Going != was.Going || was.Ended || len(f.UPS) != len(was.UPS) {
		return true
	}
	for name, r := range f.UPS {
		o, ok := was.UPS[name]
		switch {
		case reflect.DeepEqual(r, o):
		case !ok, r.Outage != o.Outage, (r.LowAge > 0) != (o.LowAge > 0), !reflect.DeepEqual(r.ToLow, o.ToLow), !reflect.DeepEqual(r.Reserve, o.Reserve),
			r.Outage != "" && since >= liveBeat, since >= restSave:
			return true
		}
	}
	return false
}

// file returns what is to be kept now; false: there is no battery, or not everybody has
// looked yet, and what an earlier run kept stands. A UPS that is configured no more is forgotten.
func (b *batteries) file() (batteryFile, bool) {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	f := batteryFile{Boot: b.boot, UPS: map[string]power.BatteryRecord{}}
	for _, u := range b.hub.ups {
		switch {
		case !slices.ContainsFunc(b.run, func(r *upsRunner) bool { return r.name == u.name }): // it has none
		case !u.told:
			return f, false
		default:
			f.UPS[u.name] = u.record.Aged(b.now().Sub(u.snapshot.At))
		}
	}
	for _, n := range b.hub.nodes {
		f.Going = f.Going || n.host && isGoing(n.report)
	}
	return f, len(f.UPS) > 0
}

// percent returns how full a battery is; -1: nobody can say.
func percent(b power.Battery) int {
	if full, known := b.Charge(); known {
		return int(math.Floor(full * 100))
	}
	return -1
}
