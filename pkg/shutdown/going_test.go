package shutdown

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
)

// TestASystemThatGoesHasAccepted: logind may stop with the bus before it has answered, and
// whoever took that for a refusal would take the seal back from a machine that goes.
func TestASystemThatGoesHasAccepted(t *testing.T) {
	lost := dbus.NewError("org.freedesktop.DBus.Error.NoReply", []any{"Message recipient disconnected from message bus without replying"})
	x := logindOn(t, &manager{refuse: lost})
	goes := false
	x.going = func(context.Context) bool { return goes }
	if err := x.PowerOff(context.Background()); err == nil {
		t.Error("no answer, and the system stays: that is no power-off")
	}
	goes = true
	if err := x.PowerOff(context.Background()); err != nil {
		t.Errorf("no answer, but the system goes: %v", err)
	}
	tool := command{name: MethodSystemctl, argv: []string{"false"}, limit: toolLimit, going: x.going}
	if err := tool.PowerOff(context.Background()); err != nil {
		t.Errorf("the tool failed, but the system goes: %v", err)
	}
	goes = false
	if err := tool.PowerOff(context.Background()); err == nil {
		t.Error("the tool failed, and the system stays")
	}
}

func TestSaysGoing(t *testing.T) {
	for said, want := range map[string]bool{"stopping\n": true, "running\n": false, "degraded\n": false, "offline\n": false, "": false} {
		if saysGoing(said) != want {
			t.Errorf("%q: %t", said, !want)
		}
	}
}

// Whoever asks is a process of the service that the system ends.
func TestGoingIsAskedAgain(t *testing.T) {
	for _, c := range []struct {
		answers []string // the last again and again
		want    bool
		took    time.Duration
	}{
		{[]string{"stopping\n"}, true, 0},
		{[]string{"running\n"}, false, 0},
		{[]string{"", "", "stopping\n"}, true, 2 * goingPause},
		{[]string{""}, false, goingLimit},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, n := time.Now(), 0
			got := askGoing(t.Context(), func(context.Context) string {
				n++
				return c.answers[min(n, len(c.answers))-1]
			})
			if took := time.Since(began); got != c.want || took != c.took {
				t.Errorf("%q: %t after %s, want %t after %s", c.answers, got, took, c.want, c.took)
			}
		})
	}
}
