// Package proof says what outages have proved: which node was seen through one and came
// back, how long it took to be off, which UPS said "battery low" or cut the load, and
// whether the network lives on the battery.
//
// It is fed with the whole rack as it is, as often as may be, and what it hides is how a
// proof is made of such looks. It is pure; [Proofs] lies on disk as it is.
package proof
