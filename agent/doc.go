// Package agent is one machine on somebody else's UPS: it attaches to its masters,
// hands every state it hears to its own node driver, which alone decides, and
// reports what that does.
//
// A session with a master is disposable: any error ends all of it and a new one
// begins after a jittered wait. Losing a master starts nothing and stops nothing;
// the driver knows what silence means. The agent works unjoined too: it listens on
// its local socket and waits to be told to join.
package agent
