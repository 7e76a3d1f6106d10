package node

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

func TestProblemsAreToldOnceAndAgainEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[[hook]]\non = [\"problem\"]\nrun = [\"/alarm\"]\n[[hook]]\non = [\"clear\"]\nrun = [\"/quiet\"]\n")
		r.run()
		defer r.stop()
		r.feed(power.OK)
		r.journal.set(0, errors.New("cannot write /data/events: no space left on device; protection goes on, but outages are not recorded"))
		time.Sleep(healthEvery)
		if p := r.problem("disk"); !strings.HasPrefix(p, "cannot write /data/events: no space left") {
			t.Errorf("the problem is %q", p)
		}
		time.Sleep(60 * time.Hour)
		r.journal.set(0, errors.New("cannot write /data/events: the disk does not answer")) // is for the log alone
		time.Sleep(healthEvery)
		r.want("begins", "15s hook alarm begins", "86415s hook alarm begins", "172815s hook alarm begins")
		r.journal.set(0, nil)
		time.Sleep(healthEvery)
		if p := r.problem("disk"); p != "" {
			t.Errorf("the problem stays: %q", p)
		}
		if got := r.story("quiet begins"); len(got) != 1 {
			t.Errorf("the end was told %d times", len(got))
		}
	})
}

func TestAMethodThatWouldFailIsAProblemBeforeItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.chain[0].setCheck(errors.New("logind wants a password"))
		r.run()
		defer r.stop()
		if p, want := r.problem("cannot-power-off"), "logind wants a password; the other methods of [shutdown] will be tried"; p != want {
			t.Errorf("the problem is %q", p)
		}
		r.chain[0].setCheck(nil)
		time.Sleep(checkEvery)
		if p := r.problem("cannot-power-off"); p != "" {
			t.Errorf("an hour later it is still %q", p)
		}
	})
}

func TestLaw10ACheckThatHangsIsAProblemAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[shutdown]\nmethod = [\"logind\"]\n[[hook]]\non = [\"batlow\"]\nrun = [\"/on/a/dead/disk\"]\n")
		r.chain[0].hang = make(chan struct{})
		dead := make(chan struct{})
		r.vetted = func(Hook) error { <-dead; return nil }
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		r.feed(power.OK) // nobody waits for the check
		time.Sleep(2 * checkLimit)
		if p := r.problem("cannot-power-off"); p != "the check has not ended for 30s" {
			t.Errorf("the problem is %q", p)
		}
		if p := r.problem("hook"); !strings.HasPrefix(p, "the hook /on/a/dead/disk: the check has not ended for 30s") {
			t.Errorf("the problem is %q", p)
		}
		close(r.chain[0].hang)
		close(dead)
		time.Sleep(checkEvery)
		if p := r.problem("cannot-power-off") + r.problem("hook"); p != "" {
			t.Errorf("an hour later it is still %q", p)
		}
	})
}

func TestAFailedHookIsAProblemUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[[hook]]\non = [\"fail\"]\nrun = [\"/mail\"]\n")
		r.setHook("mail", func() error { return errors.New("exit status 1") })
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		r.feed(power.OK)
		if p, want := r.problem("hook"), `the hook /mail failed on "fail": exit status 1`; p != want {
			t.Errorf("the problem is %q, want %q", p, want)
		}
		time.Sleep(2 * checkEvery) // that its file is in order takes nothing back
		if r.problem("hook") == "" {
			t.Error("the problem went away by itself")
		}
		r.setHook("mail", func() error { return nil })
		r.feed(power.Fail)
		if p := r.problem("hook"); p != "" {
			t.Errorf("it works, and the problem is %q", p)
		}
	})
}
