package daemon

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Reload says how a program runs by one configuration after the other, C being what
// was read and checked.
type Reload[C any] struct {
	// Start returns the first configuration. With trouble it is not the one that was
	// asked for, and that says why.
	Start func() (c C, trouble, err error)
	// Load reads and checks the newest one. It may take its time.
	Load func() (C, error)
	// Same reports whether two say the same.
	Same func(a, b C) bool
	// Lock returns the path of the lock that only one process may hold; see [Single].
	Lock func(C) string
	// Build puts a generation together. Nothing of an earlier one runs meanwhile.
	Build func(C) (Generation, error)
	// Good is called in a goroutine of its own when the generation of c has been ready
	// for 5 s. ctx ends with the generation; nobody waits for Good to return.
	Good func(ctx context.Context, c C)
}

// RunGenerations runs the generation of the first configuration as [Run] does, and
// on each SIGHUP tries to replace it by that of the newest, in the same process.
//
// A configuration that can't be loaded changes nothing. One that can waits until
// the generation that runs says that it may be replaced; then its tasks are
// cancelled with [ErrReload] as the cause, and only when all have ended is the next
// one built. If it can't be built, or fails within its first seconds, the one
// before is put back. Two never run at once: where the old tasks don't end within
// 30 s RunGenerations returns an error, because a new process is then the one clean
// way. The newest SIGHUP counts: what still waited is forgotten.
//
// The lock is held and the watchdog fed all the time.
func RunGenerations[C any](ctx context.Context, log *slog.Logger, r Reload[C]) error {
	hups := make(chan os.Signal, 1) // one that waits is enough: the file is read later
	if r.Load != nil {
		signal.Notify(hups, syscall.SIGHUP) // before the start, which it would kill
		defer signal.Stop(hups)
	}
	signals := make(chan os.Signal, 1)
	g := &generations[C]{Reload: r, log: log, hups: hups, locks: map[string]func(){}, loads: make(chan load[C], 1)}
	defer g.unlock("")
	if err := g.start(); err != nil {
		return err
	}
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	return g.serve(ctx, signals)
}

// Run runs the tasks until all have ended. The first SIGINT or SIGTERM cancels
// them with [ErrSignal] as the cause, and a second one kills the process as if
// nobody listened. The first task that fails cancels the others, and Run returns
// its error with the task's name. The service manager, if there is one, is told
// of readiness and the stop, and its watchdog is fed.
func Run(ctx context.Context, log *slog.Logger, tasks ...Task) error {
	return RunGenerations(ctx, log, Reload[struct{}]{
		Build: func(struct{}) (Generation, error) { return Generation{Tasks: tasks}, nil },
	})
}
