package master

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// stateEvent tells that a UPS's status changed; nodes are everybody, if that is how
// an outage began.
func stateEvent(ups string, was, is power.State, nodes []history.NodeThen) history.Event {
	text := fmt.Sprintf("%s, was %s", is.Status, was.Status)
	if is.Reason != "" {
		text += ": " + is.Reason
	}
	e := history.Event{On: "ups/" + ups, Kind: history.KindState, Text: text, Status: is.Status.String(), Since: is.Since,
		Outage: is.Outage, Began: is.OutageSince, Pretended: is.Sim || is.Drill, Nodes: nodes}
	if is.Outage == "" { // the one that this ends, if any
		e.Outage, e.Began = was.Outage, was.OutageSince
	}
	return e
}

// linkEvent tells that a node attached, with what it said then, or is gone.
func linkEvent(node, link, text, boot string, r *upsv1.NodeReport, now power.Uptime) history.Event {
	return history.Event{On: "node/" + node, Kind: history.KindLink, Text: text, Link: link, Boot: boot, Feeds: r.GetFeeds(), Phase: phaseOf(r), Since: phaseSince(r, now)}
}

// phaseEvent tells that a node's phase changed; was is nil where none was known.
func phaseEvent(node string, was, is *upsv1.NodeReport, now power.Uptime) history.Event {
	text := phaseName(is.GetPhase())
	if was != nil {
		text += ", was " + phaseName(was.GetPhase())
	}
	return history.Event{On: "node/" + node, Kind: history.KindPhase, Text: text, Phase: phaseName(is.GetPhase()), Since: phaseSince(is, now)}
}

// phaseSince returns when the phase that a report tells began, by this machine's clock;
// 0: it doesn't say.
func phaseSince(r *upsv1.NodeReport, now power.Uptime) power.Uptime {
	if r.GetPhaseAge() == nil {
		return 0
	}
	return now.Add(-r.GetPhaseAge().AsDuration())
}

// phaseOf returns the phase that a report tells; empty: none.
func phaseOf(r *upsv1.NodeReport) string {
	if r == nil {
		return ""
	}
	return phaseName(r.GetPhase())
}

// nodesNow returns everybody as they are now. h.mu is held.
func (h *hub) nodesNow() []history.NodeThen {
	var all []history.NodeThen
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		t := history.NodeThen{Name: name, Host: n.host, Boot: n.boot, Phase: phaseOf(n.report), Feeds: n.report.GetFeeds()}
		switch n.link {
		case power.LinkUp:
			t.Link = history.LinkUp
		case power.LinkLost:
			t.Link = history.LinkLost
		case power.LinkAway:
			t.Link = history.LinkOff
		case power.LinkNone: // never in contact
		}
		all = append(all, t)
	}
	return all
}

// events writes what happens to the journal and the log.
type events struct {
	journal *journal.Writer
	now     func() power.Uptime
	boot    string
	log     *slog.Logger
	tally   tally
}

// add never blocks: the journal takes it or says that it can't. The channel is
// closed when it is on disk, or that has failed or lasted 1 s.
func (e *events) add(ev history.Event) <-chan struct{} {
	e.log.Info(ev.Kind, "on", ev.On, "text", ev.Text)
	e.tally.note(ev)
	return e.journal.Record(history.Record, ev)
}

// stream sends the newest events and, if asked to follow, each new one until ctx
// ends.
func (e *events) stream(ctx context.Context, last int, follow bool, send func(*upsv1.StreamEventsResponse) error) error {
	err := e.journal.Follow(ctx, last, follow, func(entry journal.Entry) error {
		var ev history.Event
		if entry.Name != history.Record || json.Unmarshal(entry.Data, &ev) != nil {
			return nil // another kind of record, not for here
		}
		out := &upsv1.StreamEventsResponse{
			Seq: entry.Seq, Wall: entry.Wall.Format(time.RFC3339), On: ev.On, Kind: ev.Kind, Text: ev.Text,
		}
		if entry.Boot == e.boot { // another boot's uptimes are not comparable
			out.Age = durationpb.New(max(0, e.now().Sub(power.Uptime(entry.At))))
		}
		return send(out)
	})
	if ctx.Err() != nil {
		return nil // the reader left
	}
	return err
}
