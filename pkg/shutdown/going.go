package shutdown

import (
	"context"
	"strings"
	"time"
)

// goingLimit bounds the question whether the system goes down already.
const goingLimit = 3 * time.Second

// goingPause is how long after a question without an answer it is asked again.
const goingPause = 100 * time.Millisecond

// going reports whether the system is on its way down already: whoever was asked for it
// may have gone with the bus before it could answer, and no answer is then a yes. systemctl
// as root asks systemd itself, without the bus.
func going(ctx context.Context) bool {
	path, err := find("systemctl")
	if err != nil {
		return false
	}
	return askGoing(ctx, func(ctx context.Context) string {
		said, _ := Exec(ctx, Cmd{Argv: []string{path, "is-system-running"}}) // it fails unless all is well
		return said
	})
}

// askGoing asks until there is an answer: a system that goes down ends this service with
// all that it has started, and so whoever was asking.
func askGoing(ctx context.Context, ask func(context.Context) string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goingLimit)
	defer cancel()
	for {
		if said := ask(ctx); strings.TrimSpace(said) != "" {
			return saysGoing(said)
		}
		select {
		case <-time.After(goingPause):
		case <-ctx.Done():
			return false
		}
	}
}

// saysGoing reports whether systemctl is-system-running said that the system is shutting
// down (systemctl(1)).
func saysGoing(said string) bool { return strings.TrimSpace(said) == "stopping" }
