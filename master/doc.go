// Package master is the host that has the UPS's plug: it watches the lines of each
// UPS, believes or doubts them, streams every UPS's full state to the nodes that
// attach, keeps what they report, and runs a node of its own for the host it lives
// on.
//
// What the master knows lies in the hub, under one mutex that is held for copying
// only. Each UPS has one owner goroutine, each attached node's stream another; a
// slow or dead one delays nobody, because all it is owed is the newest state. It
// never decides for a node: nodes hear states and orders and have their own policy.
package master
