// Package guard holds the shape of this repository: who may import whom, what the
// pure core may not touch, that every law has a test, that documents speak of files
// that exist. It has tests only. Each, when red, says why the rule is there; the
// rules are tables at the top of each file, and changing one is a decision that
// belongs into docs/adr.
//
// It reads source text, never types: it needs no network, no build and no tool.
package guard
