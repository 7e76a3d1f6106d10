package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

const (
	// killGrace is how long a killed hook may take to be gone before it is left
	// behind, stuck in the kernel.
	killGrace = 2 * time.Second
	// hookPath is where hooks find programs: the same under systemd, cron and a
	// shell.
	hookPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// HookEnv is everything that a hook is told.
type HookEnv struct {
	Event policy.Event
	State string // of the power: OK, FAIL, BATLOW, UNKNOWN
	Phase string // of the node; empty: it is about none
	Node  string
	UPS   string // "MASTER/UPS", or a UPS's name on its own master
	// Outage is the present one's id, Problem the name of what came or went.
	Outage, Problem string
	Text            string // it all in words
	Drill           bool
}

// Environ returns the whole environment of a hook.
func (e HookEnv) Environ() []string {
	drill := "0"
	if e.Drill {
		drill = "1"
	}
	return []string{
		hookPath,
		"LASTWATT_EVENT=" + string(e.Event),
		"LASTWATT_STATE=" + e.State,
		"LASTWATT_PHASE=" + e.Phase,
		"LASTWATT_NODE=" + e.Node,
		"LASTWATT_UPS=" + e.UPS,
		"LASTWATT_OUTAGE=" + e.Outage,
		"LASTWATT_DRILL=" + drill,
		"LASTWATT_PROBLEM=" + e.Problem,
		"LASTWATT_TEXT=" + strings.Join(strings.Fields(e.Text), " "), // one line
	}
}

// Execute runs the hook now by exec (nil: [shutdown.Exec]), within its limit, if it may
// be run, and returns the end of what it wrote. It blocks for as long as that takes;
// whatever hangs is left behind when its time is over.
func (h Hook) Execute(env HookEnv, exec shutdown.Runner) (string, error) {
	return tryHook(context.Background(), h, env.Environ(), vet, exec.OrReal())
}

// String is how people know the hook.
func (h Hook) String() string { return h.name() }

// tryHook runs h until it ends, its time is over or ctx ends.
func tryHook(ctx context.Context, h Hook, env []string, vetted func(Hook) error, exec shutdown.Runner) (string, error) {
	type result struct {
		out string
		err error
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		if err := vetted(h); err != nil { // looks at the file, so it may hang
			done <- result{err: err}
			return
		}
		out, err := exec(ctx, shutdown.Cmd{Argv: h.argv(), Env: env})
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
	}
	killed := time.Since(start)
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case r := <-done:
		return r.out, r.err
	case <-late.C:
		return "", fmt.Errorf("it was killed after %s and does not end", killed.Round(time.Millisecond))
	}
}
