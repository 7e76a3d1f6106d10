//go:build !linux

package daemon

import (
	"crypto/rand"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// BootID returns an id of this process: without the kernel's own, each start
// counts as a boot, so nothing stale is ever taken for fresh.
func BootID() (string, error) { return "process-" + rand.Text(), nil }

func bootUptime() power.Uptime { return 0 }

func readAsleep() (time.Duration, bool) { return 0, false }

func monotonic() string { return "0" } // no service manager reads it
