package shutdown

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func TestInhibitAdvice(t *testing.T) {
	const self = 42
	upgrades := inhibitor{"shutdown", "Unattended Upgrades", "stop ongoing upgrades", "delay", 0, 7}
	dropIn := func(s int) string {
		return fmt.Sprintf("write [Login] and InhibitDelayMaxSec=%d into /etc/systemd/logind.conf.d/lastwatt.conf, then systemctl restart systemd-logind", s)
	}
	for name, c := range map[string]struct {
		limit, stop time.Duration
		locks       []inhibitor
		want        string
	}{
		"nobody asked":                {5 * time.Second, 2 * time.Minute, nil, ""},
		"somebody, and it was raised": {30 * time.Second, 2 * time.Minute, []inhibitor{upgrades}, ""},
		"somebody, and the default": {5 * time.Second, 2 * time.Minute, []inhibitor{upgrades},
			`"Unattended Upgrades" asked logind for time at a shutdown and gets no more than 5s: ` + dropIn(30)},
		"within a short stop_time": {5 * time.Second, 12500 * time.Millisecond, []inhibitor{upgrades},
			`"Unattended Upgrades" asked logind for time at a shutdown and gets no more than 5s: ` + dropIn(12)},
		"a stop_time without room": {5 * time.Second, 5 * time.Second, []inhibitor{upgrades},
			`"Unattended Upgrades" asked logind for time at a shutdown and gets no more than 5s: set stop_time in [shutdown] to 30s, and ` + dropIn(30)},
		"only we":            {5 * time.Second, 2 * time.Minute, []inhibitor{{"shutdown", "lastwatt", "", "delay", 0, self}}, ""},
		"who only blocks":    {5 * time.Second, 2 * time.Minute, []inhibitor{{"shutdown", "apt", "", "block", 0, 7}}, ""},
		"at a sleep":         {5 * time.Second, 2 * time.Minute, []inhibitor{{"sleep", "NetworkManager", "", "delay", 0, 7}}, ""},
		"at several moments": {5 * time.Second, 2 * time.Minute, []inhibitor{{"sleep:shutdown:idle", "db", "", "delay", 0, 7}}, `"db" asked logind`},
		"many, with long names": {5 * time.Second, 2 * time.Minute, []inhibitor{
			{"shutdown", "a", "", "delay", 0, 1}, {"shutdown", "a", "", "delay", 0, 2}, {"shutdown", strings.Repeat("ü", 40) + "\x1b[2J", "", "delay", 0, 3},
			{"shutdown", "c", "", "delay", 0, 4}, {"shutdown", "d", "", "delay", 0, 5}, {"shutdown", "e", "", "delay", 0, 6}},
			`"a", "` + strings.Repeat("ü", 20) + `…", "c", 2 more asked logind`},
		"longer than this node tells the others": {3 * time.Minute, 2 * time.Minute, nil,
			"logind lets programs delay a shutdown for up to 3m0s, and stop_time is 2m0s: " + dropIn(30) + ", or make stop_time in [shutdown] longer"},
		"for ever":                        {math.MaxInt64, time.Second, nil, "logind lets programs delay a shutdown for up to any time, and stop_time is 1s: " + dropIn(1)},
		"as long as this node tells them": {2 * time.Minute, 2 * time.Minute, []inhibitor{upgrades}, ""},
	} {
		err := inhibitAdvice(c.limit, c.locks, self, c.stop)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: got  %v\nwant %s", name, err, c.want)
		}
	}
}

func (m *manager) ListInhibitors() ([]inhibitor, *dbus.Error) {
	_, err := m.call("ListInhibitors")
	return m.locks, err
}

// properties answers org.freedesktop.DBus.Properties for the manager.
type properties struct{ m *manager }

func (p properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	_, err := p.m.call(name)
	return dbus.MakeVariant(p.m.delay), err
}

func TestLogindIsAskedForItsInhibitors(t *testing.T) {
	m := &manager{delay: 5_000_000, locks: []inhibitor{{"shutdown", "postgres", "checkpoint", "delay", 26, 7}}}
	x := logindOn(t, m)
	err := x.Advise(context.Background(), 2*time.Minute)
	if err == nil || !strings.HasPrefix(err.Error(), `"postgres" asked logind for time at a shutdown and gets no more than 5s`) {
		t.Errorf("got %v", err)
	}
	m.set(func() { m.delay = math.MaxUint64 })
	if err := x.Advise(context.Background(), time.Minute); err == nil || !strings.HasPrefix(err.Error(), "logind lets programs delay a shutdown for up to any time") {
		t.Errorf("got %v", err)
	}
	m.set(func() { m.delay = 30_000_000 })
	if err := x.Advise(context.Background(), 2*time.Minute); err != nil {
		t.Errorf("all is well, and it advises %v", err)
	}
	m.set(func() { m.refuse = dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", nil) })
	if err := x.Advise(context.Background(), time.Minute); err != nil {
		t.Errorf("whoever can't be asked has no advice, and it says %v", err)
	}
}

func TestLogindThatHangsHasNoAdvice(t *testing.T) {
	m := &manager{hang: make(chan struct{})}
	x := logindOn(t, m)
	defer close(m.hang)
	x.limit = 200 * time.Millisecond
	if err := x.Advise(context.Background(), time.Minute); err != nil {
		t.Errorf("got %v", err)
	}
}
