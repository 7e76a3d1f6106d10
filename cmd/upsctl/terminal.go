package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// terminal is what this program may do to the real one. In tests some of it is nil.
type terminal struct {
	// size is the window's; zero: not known.
	size func() (cols, rows int)
	// signals tells of a new size, of Ctrl-Z by somebody else, and of going on.
	signals func() (tell <-chan os.Signal, stop func())
	// suspend stops this process until somebody lets it go on.
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
			signal.Notify(tell, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGCONT)
			return tell, func() { signal.Stop(tell) }
		},
		suspend: suspend,
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

// suspend does what Ctrl-Z does to a program that knows nothing of it. Where no shell
// could let it go on the kernel doesn't stop it, which is why this is not SIGSTOP.
// Nobody may listen for SIGTSTP meanwhile.
func suspend() {
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	defer signal.Stop(goOn)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTSTP)
	select {
	case <-goOn:
	case <-time.After(200 * time.Millisecond): // not stopped
	}
}

// terminalSize is the size of the terminal that is written to; zero: there is none,
// or it doesn't say.
func (c *cli) terminalSize() (cols, rows int) {
	if !c.outTTY || c.tty.size == nil {
		return 0, 0
	}
	return c.tty.size()
}
