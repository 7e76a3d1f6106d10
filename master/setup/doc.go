// Package setup is the dialogue that turns a box with a serial cable into a master
// that watches it: which port, which cable, found out by watching what the lines do
// while the owner pulls the plug, then the file, the service and the first token. It
// hides how people are asked: plain lines of text, one question at a time, which work
// over ssh, on a dumb terminal and read aloud (docs/adr/0018-setup-by-plain-prompts.md).
//
// One [Run] has one goroutine of its own for what is typed; everything it touches
// comes by [Options], so that it can be played in memory.
//
// It never opens a port, drives an output or writes a file before the owner has
// agreed, and what it leaves behind when it is interrupted is what it found.
package setup
