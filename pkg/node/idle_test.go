package node

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestADriverIsReplacedOnlyAtRest: not on battery, not on the way down, not while a
// hook that was promised has not run.
func TestADriverIsReplacedOnlyAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, `
[policy]
grace = "10s"
[[hook]]
on = ["cancel"]
run = ["/slow"]
`)
		release := make(chan struct{})
		r.setHook("slow", func() error { <-release; return nil })
		r.run()
		defer r.stop()
		is := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := fmt.Sprint(r.Idle()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		is("<nil>")
		r.feed(power.OK)
		is("<nil>")
		r.feed(power.Unknown) // blind since it was OK: a wrong port can be mended
		is("<nil>")
		r.feed(power.Fail)
		is(r.o.Name + " is in GRACE")
		time.Sleep(5 * time.Second)
		r.feed(power.OK)
		is("hooks are running")
		close(release)
		is("<nil>")
		hold := policy.Order{Kind: policy.OrderHold, By: "bob", Until: r.now().Add(time.Hour)}
		up := Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.Fail, 0)}}, Order: hold}
		r.Update(up)
		r.wantPhase(policy.Held)
		is(r.o.Name + " is on battery")
	})
}
