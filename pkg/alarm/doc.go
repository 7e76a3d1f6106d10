// Package alarm tells people and programs elsewhere what happens: by webhooks, ntfy,
// mail and local programs. It hides how each of them is spoken to, and that the
// network is the first thing to die in an outage: what can't be sent waits on disk and
// is sent, in order, when somebody answers again.
//
// A message is sent at least once, or given up after seven days or when its receiver
// has refused it for good, which is said. Each receiver has a queue of its own: a slow
// one delays no other. [Sender.Put], [Sender.Err] and [Sender.Test] may be called by
// anyone at any time; Put and Err never block. A disk that is full, read-only or hangs
// costs the memory of a restart and nothing else.
//
// It decides nothing: what is worth an alarm, and when, is its caller's business.
// Nothing that it logs or returns holds a secret.
package alarm
