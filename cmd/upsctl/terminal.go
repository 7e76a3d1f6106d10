package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// terminal is what this program may do to the real one. In tests some of it is nil.
type terminal struct {
	// size is the window's; zero: not known.
	size func() (cols, rows int)
	// signals tells of a new size, and of going on after a stop by somebody else.
	signals func() (tell <-chan os.Signal, stop func())
	// suspend does what Ctrl-Z does to programs that know nothing of it: all of this
	// job stop, a moment later. Where no shell could let it go on the kernel stops
	// nothing, which is why this is not SIGSTOP. Nobody may ever have listened for
	// SIGTSTP: the runtime would keep its handler, and nothing would happen.
	suspend func()
}

// realTerminal is the one that this process runs on.
func realTerminal() terminal {
	return terminal{
		size: func() (cols, rows int) {
			cols, rows, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0, 0
			}
			return cols, rows
		},
		signals: func() (<-chan os.Signal, func()) {
			tell := make(chan os.Signal, 4)
			signal.Notify(tell, syscall.SIGWINCH, syscall.SIGCONT)
			return tell, func() { signal.Stop(tell) }
		},
		suspend: func() { _ = syscall.Kill(0, syscall.SIGTSTP) },
	}
}

// rawTerminal makes the keyboard give each key at once and returns how to undo it.
func rawTerminal() (restore func(), err error) {
	fd := int(os.Stdin.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, old) }, nil
}

// terminalSize is the size of the terminal that is written to; zero: there is none,
// or it doesn't say.
func (c *cli) terminalSize() (cols, rows int) {
	if !c.outTTY || c.tty.size == nil {
		return 0, 0
	}
	return c.tty.size()
}
