// Package mutants asks the tests whether they would notice: it breaks the code on
// purpose, one fault at a time, and a fault that no test turns red for is one that
// could be in the code today.
//
// What it hides is how a fault is put into a copy of the tree and which tests are
// asked; the working tree is never written to. [Faults] is data. A [Bench] is one
// copy and is used by one goroutine; several may run beside each other.
package mutants
