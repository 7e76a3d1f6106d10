package master

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// eventRecord is the name of an [event] in the journal.
const eventRecord = "event"

// The kinds of event that the story of an outage is made of; the others are for
// people only.
const (
	kindStart  = "start"  // the master began to run: every link before is over
	kindState  = "state"  // a UPS
	kindLink   = "link"   // a node's contact
	kindPhase  = "phase"  // a node
	kindMember = "member" // a node was struck off
	kindReport = "report" // the outage's story was told
	kindWake   = "wake"   // a node was woken, or could not be
)

// The kinds of contact, as they lie on disk.
const (
	linkUp   = "up"
	linkLost = "lost"
	linkOff  = "off" // it said that it goes
)

// The phases of a node that asked to power off, as they lie on disk.
const (
	phaseCommitted = "COMMITTED"
	phaseDone      = "DONE"
)

// event is what happened: on what, of which kind, in words, and for some kinds in
// fields too. It lies on disk: no field changes its meaning, and what an older
// master wrote has the first three only.
type event struct {
	On   string `json:"on"`
	Kind string `json:"kind"`
	Text string `json:"text"`

	// Outage is which one it belongs to: the one that began, went on, ended, or
	// was told.
	Outage string `json:"outage,omitempty"`
	// Status is a UPS's, Since when that began and Began the outage's first FAIL,
	// both by the line and not by when it was believed. With a node's phase Since is when
	// that began; 0: the node did not say.
	Status string       `json:"status,omitempty"`
	Since  power.Uptime `json:"since,omitempty"`
	Began  power.Uptime `json:"began,omitempty"`
	// Pretended: a sim state or a drill.
	Pretended bool `json:"pretended,omitempty"`
	// UPS are those that a master which begins watches.
	UPS []string `json:"ups,omitempty"`
	// Nodes is everybody when an outage began.
	Nodes []nodeThen `json:"nodes,omitempty"`
	// Link and Phase are a node's, Boot and Feeds what it said when it attached.
	Link  string   `json:"link,omitempty"`
	Phase string   `json:"phase,omitempty"`
	Boot  string   `json:"boot,omitempty"`
	Feeds []string `json:"feeds,omitempty"`
	// Woken is how often a node was woken so far, since its power is back.
	Woken int `json:"woken,omitempty"`
}

// nodeThen is a node at the moment of an event.
type nodeThen struct {
	Name  string   `json:"name"`
	Host  bool     `json:"host,omitempty"`
	Link  string   `json:"link,omitempty"` // empty: never in contact
	Phase string   `json:"phase,omitempty"`
	Boot  string   `json:"boot,omitempty"`
	Feeds []string `json:"feeds,omitempty"`
}

// stateEvent tells that a UPS's status changed; nodes are everybody, if that is how
// an outage began.
func stateEvent(ups string, was, is power.State, nodes []nodeThen) event {
	text := fmt.Sprintf("%s, was %s", is.Status, was.Status)
	if is.Reason != "" {
		text += ": " + is.Reason
	}
	e := event{On: "ups/" + ups, Kind: kindState, Text: text, Status: is.Status.String(), Since: is.Since,
		Outage: is.Outage, Began: is.OutageSince, Pretended: is.Sim || is.Drill, Nodes: nodes}
	if is.Outage == "" { // the one that this ends, if any
		e.Outage, e.Began = was.Outage, was.OutageSince
	}
	return e
}

// linkEvent tells that a node attached, with what it said then, or is gone.
func linkEvent(node, link, text, boot string, r *upsv1.NodeReport, now power.Uptime) event {
	return event{On: "node/" + node, Kind: kindLink, Text: text, Link: link, Boot: boot, Feeds: r.GetFeeds(), Phase: phaseOf(r), Since: phaseSince(r, now)}
}

// phaseEvent tells that a node's phase changed; was is nil where none was known.
func phaseEvent(node string, was, is *upsv1.NodeReport, now power.Uptime) event {
	text := phaseName(is.GetPhase())
	if was != nil {
		text += ", was " + phaseName(was.GetPhase())
	}
	return event{On: "node/" + node, Kind: kindPhase, Text: text, Phase: phaseName(is.GetPhase()), Since: phaseSince(is, now)}
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
func (h *hub) nodesNow() []nodeThen {
	var all []nodeThen
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		t := nodeThen{Name: name, Host: n.host, Boot: n.boot, Phase: phaseOf(n.report), Feeds: n.report.GetFeeds()}
		switch n.link {
		case power.LinkUp:
			t.Link = linkUp
		case power.LinkLost:
			t.Link = linkLost
		case power.LinkAway:
			t.Link = linkOff
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
func (e *events) add(ev event) <-chan struct{} {
	e.log.Info(ev.Kind, "on", ev.On, "text", ev.Text)
	e.tally.note(ev)
	return e.journal.Record(eventRecord, ev)
}

// ofAnOutage reports whether an entry is part of an outage's story that no later one
// tells again: those are kept when the journal has too much.
func ofAnOutage(e journal.Entry) bool {
	for _, field := range []string{`"outage":"`, `"phase":"` + phaseCommitted + `"`, `"phase":"` + phaseDone + `"`} {
		// A quote within a text is escaped: this can only be a field's.
		if e.Name == eventRecord && bytes.Contains(e.Data, []byte(field)) {
			return true
		}
	}
	return false
}

// stream sends the newest events and, if asked to follow, each new one until ctx
// ends.
func (e *events) stream(ctx context.Context, last int, follow bool, send func(*upsv1.StreamEventsResponse) error) error {
	err := e.journal.Follow(ctx, last, follow, func(entry journal.Entry) error {
		var ev event
		if entry.Name != eventRecord || json.Unmarshal(entry.Data, &ev) != nil {
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
