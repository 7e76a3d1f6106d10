package shutdown

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// inhibitDefault is InhibitDelayMaxSec= where nobody set it, and inhibitEnough
	// what most who ask for time can do with (logind.conf(5)).
	inhibitDefault = 5 * time.Second
	inhibitEnough  = 30 * time.Second
	// inhibitDropIn is where to set it.
	inhibitDropIn = "/etc/systemd/logind.conf.d/lastwatt.conf"
)

// Advisor is a way to power off that knows of more than whether it would work.
type Advisor interface {
	// Advise reports what is not as it should be where a power-off takes stopTime,
	// and what to do. Nil where that can't be found out too: Check says why not.
	Advise(ctx context.Context, stopTime time.Duration) error
}

var _ Advisor = logind{}

// inhibitor is one row of ListInhibitors, as org.freedesktop.login1(5) has it.
type inhibitor struct {
	What, Who, Why, Mode string
	UID, PID             uint32
}

// Advise looks at how long logind lets others delay a shutdown: they get no more
// than its limit, and this machine takes that much longer.
func (l logind) Advise(ctx context.Context, stopTime time.Duration) error {
	var usec uint64
	var locks []inhibitor
	if err := l.ask(ctx, "InhibitDelayMaxUSec", func(ctx context.Context, manager dbus.BusObject) error {
		v, err := manager.GetProperty(loginManager + ".InhibitDelayMaxUSec")
		if err != nil {
			return err
		}
		if err := v.Store(&usec); err != nil {
			return err
		}
		return manager.CallWithContext(ctx, loginManager+".ListInhibitors", 0).Store(&locks)
	}); err != nil {
		return nil //nolint:nilerr // whoever can't be asked is Check's to tell
	}
	return inhibitAdvice(fromMicro(usec), locks, uint32(os.Getpid()), stopTime)
}

// fromMicro returns so many microseconds; "infinity" is 2^64-1.
func fromMicro(usec uint64) time.Duration {
	if usec > math.MaxInt64/uint64(time.Microsecond) {
		return math.MaxInt64
	}
	return time.Duration(usec) * time.Microsecond
}

// inhibitAdvice says what is wrong with a limit; self is our own process.
func inhibitAdvice(limit time.Duration, locks []inhibitor, self uint32, stopTime time.Duration) error {
	enough := min(inhibitEnough, stopTime.Truncate(time.Second))
	const write = "write [Login] and InhibitDelayMaxSec=%d into " + inhibitDropIn + ", then systemctl restart systemd-logind"
	if limit > stopTime {
		return fmt.Errorf("logind lets programs delay a shutdown for up to %s, and stop_time is %s: "+write+", or make stop_time in [shutdown] longer",
			inWords(limit), stopTime, int(max(enough, time.Second).Seconds()))
	}
	who := delaying(locks, self)
	switch {
	case who == "" || limit != inhibitDefault:
		return nil
	case enough <= limit: // no room within stop_time
		return fmt.Errorf("%s asked logind for time at a shutdown and gets no more than %s: set stop_time in [shutdown] to %s, and "+write,
			who, limit, inhibitEnough, int(inhibitEnough.Seconds()))
	default:
		return fmt.Errorf("%s asked logind for time at a shutdown and gets no more than %s: "+write, who, limit, int(enough.Seconds()))
	}
}

func inWords(d time.Duration) string {
	if d == math.MaxInt64 {
		return "any time"
	}
	return d.String()
}

// whoMax bounds the names that are told, and their length: whoever is logged in may
// hold a lock under any name.
const whoMax, whoLength = 3, 40

// delaying names the others who hold a lock that delays a shutdown; empty: nobody.
func delaying(locks []inhibitor, self uint32) string {
	var names []string
	for _, k := range locks {
		if k.Mode != "delay" || k.PID == self || !slices.Contains(strings.Split(k.What, ":"), "shutdown") {
			continue
		}
		who := k.Who
		if len(who) > whoLength {
			who = strings.ToValidUTF8(who[:whoLength], "") + "…"
		}
		if name := fmt.Sprintf("%q", who); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if more := len(names) - whoMax; more > 0 {
		names = append(names[:whoMax], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
