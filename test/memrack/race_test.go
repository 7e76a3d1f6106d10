//go:build race

package memrack

import "runtime"

// One thread at a time: two that run timers of one bubble at once break the race
// detector itself (golang/go#78156: a failed CHECK or a SIGSEGV inside tsan, one run in
// three here). What races is found by what happened before what, not by luck, so one
// thread finds it too.
func init() { runtime.GOMAXPROCS(1) }
