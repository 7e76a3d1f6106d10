package shutdown

import (
	"context"
	"strings"
	"time"
)

// goingLimit bounds the question whether the system goes down already.
const goingLimit = 3 * time.Second

// going reports whether the system is on its way down already: whoever was asked for it
// may have gone with the bus before it could answer, and no answer is then a yes. systemctl
// as root asks systemd itself, without the bus.
func going(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goingLimit)
	defer cancel()
	path, err := find("systemctl")
	if err != nil {
		return false
	}
	said, _ := Exec(ctx, Cmd{Argv: []string{path, "is-system-running"}}) // it fails unless all is well
	return saysGoing(said)
}

// saysGoing reports whether systemctl is-system-running said that the system is shutting
// down (systemctl(1)).
func saysGoing(said string) bool { return strings.TrimSpace(said) == "stopping" }
