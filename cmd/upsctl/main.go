// Command upsctl asks and steers the daemons of a rack: status, tokens, holds,
// events, the catalogue of cables, and a demonstration that needs no hardware.
//
// Each verb is one file. A verb gets everything that it may touch by [cli]; only
// main knows the real terminal, environment and exit.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// version is written by the linker (Makefile).
var version = "dev"

func main() { os.Exit(start(newCLI())) }

// start carries out this process's command line, or as much as a signal allows.
func start(c *cli) int {
	// SIGPIPE too: a demo whose reader has gone must still end its daemons.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	return c.run(ctx, os.Args[1:])
}

// newCLI is upsctl on the real terminal and environment.
func newCLI() *cli {
	return &cli{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:   term.IsTerminal(int(os.Stdin.Fd())),
		outTTY:  term.IsTerminal(int(os.Stdout.Fd())),
		env:     os.Getenv,
		now:     time.Now,
		sockets: []string{"/run/lastwatt/master/master.sock", "/run/lastwatt/agent/agent.sock"},
		exe:     os.Executable,
		raw:     rawTerminal,
		tty:     realTerminal(),
	}
}
