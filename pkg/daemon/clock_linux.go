package daemon

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// bootIDPath holds an id that the kernel makes anew at each boot, random(4).
const bootIDPath = "/proc/sys/kernel/random/boot_id"

// BootID returns what names this boot: uptimes of two boots can't be compared.
func BootID() (string, error) {
	b, err := os.ReadFile(bootIDPath)
	if err != nil {
		return "", fmt.Errorf("cannot tell this boot from the last: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func bootUptime() power.Uptime {
	d, err := readClock(unix.CLOCK_BOOTTIME)
	if err != nil {
		return 0
	}
	return power.Uptime(d)
}

// readAsleep is CLOCK_BOOTTIME less CLOCK_MONOTONIC, which differ by the time
// asleep only (clock_gettime(2)). The reading is no good if the process was kept
// waiting between the two.
func readAsleep() (time.Duration, bool) {
	before, err1 := readClock(unix.CLOCK_MONOTONIC)
	boot, err2 := readClock(unix.CLOCK_BOOTTIME)
	after, err3 := readClock(unix.CLOCK_MONOTONIC)
	if err1 != nil || err2 != nil || err3 != nil || after-before > asleepStep/2 {
		return 0, false
	}
	return max(boot-after, 0), true
}

func readClock(id int32) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// monotonic is the present moment as sd_notify(3) wants it beside RELOADING=1.
func monotonic() string {
	d, _ := readClock(unix.CLOCK_MONOTONIC) // 0 is refused there, and nothing else is lost
	return strconv.FormatInt(d.Microseconds(), 10)
}
