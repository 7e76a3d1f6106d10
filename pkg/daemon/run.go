package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"time"
)

// ErrSignal is the cause of a cancellation by SIGINT or SIGTERM.
var ErrSignal = errors.New("signal received")

// Task is one long-running part of a program. Run returns nil when its context
// was cancelled, or when it has nothing left to do; an error stops every other
// task too. String is its name, for people.
type Task interface {
	Run(context.Context) error
	String() string
}

// Readier is a [Task] that is of use only after a while: Ready is closed when it
// is. Run tells the service manager READY=1 when all such tasks are ready.
type Readier interface {
	Ready() <-chan struct{}
}

type funcTask struct {
	name string
	run  func(context.Context) error
}

func (f funcTask) Run(ctx context.Context) error { return f.run(ctx) }
func (f funcTask) String() string                { return f.name }

// Func makes a [Task] of a function.
func Func(name string, run func(context.Context) error) Task {
	return funcTask{name: name, run: run}
}

// OneProcessor makes Go use one processor at a time, unless the owner's setting says
// otherwise. These daemons wait; with more, each wake-up wakes idle threads to look
// for work that is not there, a quarter of all they cost when idle (measured on two
// cores). A thread that waits for a disk holds nobody up: Go goes on without it.
func OneProcessor(setting string) {
	if setting == "" {
		runtime.GOMAXPROCS(1)
	}
}

// listen turns the first signal into a cancellation, and the cancellation,
// whatever its reason, into STOPPING=1.
func listen(ctx context.Context, log *slog.Logger, signals chan os.Signal, cancel context.CancelCauseFunc, ended <-chan struct{}) {
	// From here on a signal has its default effect again: a second one kills.
	defer signal.Stop(signals)
	select {
	case s := <-signals:
		log.Info("stopping", "cause", s.String())
		cancel(fmt.Errorf("%w: %s", ErrSignal, s))
	case <-ctx.Done():
		log.Info("stopping", "cause", context.Cause(ctx))
	case <-ended:
	}
	say(log, "STOPPING=1")
}

// feedWatchdog goes on until the tasks have ended: a stop takes its time too.
func feedWatchdog(log *slog.Logger, ended <-chan struct{}) {
	every := watchdogInterval() / 2 // half, as sd_watchdog_enabled(3) recommends
	if every <= 0 {
		return
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		say(log, "WATCHDOG=1")
		select {
		case <-t.C:
		case <-ended:
			return
		}
	}
}

func say(log *slog.Logger, state string) {
	if err := Notify(state); err != nil {
		log.Warn("cannot tell the service manager", "state", state, "err", err)
	}
}
