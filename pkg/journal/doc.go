// Package journal keeps what must not be forgotten: a journal of records, one JSON
// line each, and small files of state, each replaced as a whole. Every line and
// file carries a CRC32C of its own bytes, so that what a power cut tore is told
// from what was written. It knows no type of anybody's: names and JSON in, names
// and JSON out.
//
// A journal is one open file and some closed ones, 32 MiB in all unless [Options]
// say otherwise; [Read] reads them as one. What is too old is removed, marked
// entries last.
//
// Files lie on the real disk, unless an [FS] is given. What an opened journal holds
// lasts, whoever wrote it and was killed over it.
//
// [Open], [Read], [Save] and [Load] touch the disk in the caller's goroutine, and
// wait as long as the disk lets them. [Writer] and [Saver] never do: each owns its
// file in one goroutine, takes work from any number of callers without blocking
// them, and costs them at most 1 s when the disk is full, read-only or hangs.
package journal
