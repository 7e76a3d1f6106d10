// Package health knows what can be wrong with a rack's protection, and what to tell
// of it when. Everything that can be wrong is one closed set, as data: [Kinds].
// Whoever finds something says so by [Found], each time in full; a [Registry] makes
// of it since when, and whom to tell now: when a thing came and stayed, when it
// went, and once a day while it stays.
//
// It is pure: no clock, no I/O, no goroutine. A Registry has one owner.
package health
