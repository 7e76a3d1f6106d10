package history

import (
	"bytes"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Record is the name of an [Event] in the journal.
const Record = "event"

// The kinds of event that the story of an outage is made of; the others are for
// people only.
const (
	KindStart  = "start"  // the master began to run: every link before is over
	KindState  = "state"  // a UPS
	KindLink   = "link"   // a node's contact
	KindPhase  = "phase"  // a node
	KindMember = "member" // a node was struck off
	KindReport = "report" // the outage's story was told
	KindWake   = "wake"   // a node was woken, or could not be
)

// The kinds of contact, as they lie on disk.
const (
	LinkUp   = "up"
	LinkLost = "lost"
	LinkOff  = "off" // it said that it goes
)

// The phases of a node that asked to power off, as they lie on disk.
const (
	PhaseCommitted = "COMMITTED"
	PhaseDone      = "DONE"
)

// Event is what happened: on what, of which kind, in words, and for some kinds in
// fields too. It lies on disk: no field changes its meaning, and what an older
// master wrote has the first three only.
type Event struct {
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
	Nodes []NodeThen `json:"nodes,omitempty"`
	// Link and Phase are a node's, Boot and Feeds what it said when it attached.
	Link  string   `json:"link,omitempty"`
	Phase string   `json:"phase,omitempty"`
	Boot  string   `json:"boot,omitempty"`
	Feeds []string `json:"feeds,omitempty"`
	// Amends: a report that says who has come back since the one before.
	Amends bool `json:"amends,omitempty"`
	// Woken is how often a node was woken so far, since its power is back.
	Woken int `json:"woken,omitempty"`
}

// NodeThen is a node at the moment of an event.
type NodeThen struct {
	Name  string   `json:"name"`
	Host  bool     `json:"host,omitempty"`
	Link  string   `json:"link,omitempty"` // empty: never in contact
	Phase string   `json:"phase,omitempty"`
	Boot  string   `json:"boot,omitempty"`
	Feeds []string `json:"feeds,omitempty"`
}

// OfAnOutage reports whether an entry is part of an outage's story that no later one
// tells again: those are kept when the journal has too much.
func OfAnOutage(e journal.Entry) bool {
	for _, field := range []string{`"outage":"`, `"phase":"` + PhaseCommitted + `"`, `"phase":"` + PhaseDone + `"`} {
		// A quote within a text is escaped: this can only be a field's.
		if e.Name == Record && bytes.Contains(e.Data, []byte(field)) {
			return true
		}
	}
	return false
}
