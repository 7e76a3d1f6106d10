package proof

import (
	"slices"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Rack is everybody at one moment.
type Rack struct {
	UPS   []UPS
	Nodes []Node
}

// UPS is one at that moment.
type UPS struct {
	Name    string
	State   power.State
	Suspect bool // the lines move as they do when the plug is pulled
}

// Node is one at that moment.
type Node struct {
	Name, Boot string
	Host       bool // the master's own
	Ever       bool // it was in contact with this master
	Link       power.Link
	Phase      policy.Phase
	Status     power.Status
	UPS        []string // of this master's, those that it lives on
	Foreign    bool     // it lives on another master's too
	Off        policy.OffState
	Silent     power.Uptime // since when it is silent to probes; 0: it is not
	Methods    []string     // by which it goes
	Wake       []string     // by which it comes
}

// Node returns a node; nil: there is none of that name.
func (r Rack) Node(name string) *Node {
	if i := slices.IndexFunc(r.Nodes, func(n Node) bool { return n.Name == name }); i >= 0 {
		return &r.Nodes[i]
	}
	return nil
}

// State returns a UPS's state; blind if there is none of that name.
func (r Rack) State(name string) power.State {
	if i := slices.IndexFunc(r.UPS, func(u UPS) bool { return u.Name == name }); i >= 0 {
		return r.UPS[i].State
	}
	return power.State{}
}

// Going reports whether a node's last word was that it goes.
func (n Node) Going() bool { return n.Phase == policy.Committed || n.Phase == policy.Done }

// Stays reports whether a node never goes: it has no need to come back.
func (n Node) Stays() bool { return len(n.Methods) == 1 && n.Methods[0] == shutdown.MethodNone }
