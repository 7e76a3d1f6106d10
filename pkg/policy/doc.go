// Package policy says what a node does about the power: [Machine] is the whole
// behaviour of one node from the first FAIL to the accepted power-off, as a pure
// state machine.
//
// It is pure: no I/O, no clock, no goroutine, no logger. The caller gives each
// [Input] with the moment it happened and carries out the [Action]s in order; the
// slow ones answer later with an Input of their own, and a failed one never stops
// the next. The caller must also call Step with [Tick] when Deadline has passed.
// Same inputs, same outputs. A Machine has one owner and is not safe for
// concurrent use.
//
// It runs nothing, knows no host and no wire, and does not judge what the wires
// say: that is package power. docs/states.md is its table, testdata its stories.
package policy
