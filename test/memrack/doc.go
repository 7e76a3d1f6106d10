// Package memrack is a rack in memory: the real master's and agents' code and real
// gRPC over TLS, on a network that lives in this process and can be cut, inside a
// testing/synctest bubble where hours pass in milliseconds.
//
// The tests named sim play random outages on it, by seed: docs/sim.md.
//
// A [Network], a [Wire] and a [Disk] are safe for concurrent use. Nothing here touches the real
// network or a real port; files lie in the test's temporary folder.
package memrack
