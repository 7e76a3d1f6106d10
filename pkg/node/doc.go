// Package node is the one way for a machine to go down. A [Driver] joins a
// policy.Machine to the world: the states that masters send, the clock, hooks,
// messages to the people logged in, and the chain of power-off methods. [Settings]
// is what the owner wrote about all that.
//
// It hides how slow the world is. One goroutine, Run's, owns the machine, and it
// never touches a file system, a bus, a process or the network: each of those is
// done in a goroutine of its own with a time limit, which answers with an input
// for the machine. Update, Resumed, Snapshot and Changed may be called by anyone
// at any time and never block. What is to be forgotten by nobody is given to the
// journal before a hook or a power-off begins, which wait for it for at most 1 s.
//
// It does not know where states come from, and decides nothing: that is package
// policy.
package node
