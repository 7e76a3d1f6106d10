package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const commitHooks = `
[policy]
grace = "10s"
grace_min = "0s"
[[hook]]
on = ["commit"]
run = ["/stop-db"]
timeout = "30s"
[[hook]]
on = ["commit"]
run = ["/stop-web"]
timeout = "30s"
[[hook]]
on = ["cancel"]
run = ["/start-db"]
`

func TestAnOutageFromTheFirstFailToTheAcceptedPowerOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks)
		r.hook["stop-db"] = func(context.Context) error { time.Sleep(3 * time.Second); return nil }
		r.run()
		defer r.stop()
		r.feed(power.OK)
		time.Sleep(5 * time.Second)
		r.feed(power.Fail)
		r.wantPhase(policy.Grace)
		if v := r.Snapshot().View; v.Deadline != r.now().Add(10*time.Second) || !v.Timed {
			t.Errorf("the deadline is %s", v.Deadline)
		}
		time.Sleep(20 * time.Second)
		r.want("phase poweroff: begins ends ask_",
			"5s record phase: IDLE GRACE",
			"15s record phase: GRACE COMMITTED",
			"15s hook stop-db begins",
			"18s hook stop-db ends",
			"18s hook stop-web begins",
			"18s hook stop-web ends",
			"18s record poweroff: logind asked",
			"18s ask logind",
			"18s record poweroff: logind accepted",
			"18s record phase: COMMITTED DONE",
		)
		r.wantPhase(policy.Done)
		r.want("wall",
			"5s wall: on battery: this machine goes down in 10s unless power returns",
			"15s wall: this machine shuts down now: on battery",
			"18s wall: logind accepted the power-off",
		)
	})
}

// TestLaw12RecordsComeBeforeDeeds: a slow disk is waited for, for at most 1 s.
func TestLaw12RecordsComeBeforeDeeds(t *testing.T) {
	for name, c := range map[string]struct {
		slow time.Duration
		want []string
	}{
		"a slow disk":                         {300 * time.Millisecond, []string{"10.3s hook stop-db begins", "10.6s ask logind"}},
		"a hanging disk and a broken promise": {-1, []string{"11s hook stop-db begins", "12s ask logind"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, commitHooks)
				r.run()
				defer r.stop()
				r.journal.set(c.slow, nil)
				r.feed(power.Fail)
				time.Sleep(time.Minute)
				r.want("ask_", c.want[1])
				got := strings.Join(r.story(), "\n")
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("%q is missing in\n%s", want, got)
					}
				}
				if c.slow > 0 && strings.Index(got, "on disk: phase: GRACE COMMITTED") > strings.Index(got, "hook stop-db begins") {
					t.Errorf("a hook ran before its reason was on disk:\n%s", got)
				}
				if c.slow > 0 && strings.Index(got, "on disk: poweroff: logind asked") > strings.Index(got, "ask logind") {
					t.Errorf("the power-off came before its record:\n%s", got)
				}
			})
		})
	}
}

func TestARefusingChainIsTriedInTurnAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n[shutdown]\nmethod = [\"logind\", \"systemctl\"]\n")
		tries := 0
		r.chain[0].off = func(context.Context) error {
			if tries++; tries == 3 {
				return nil
			}
			return errRefused
		}
		r.chain[1].off = refuse
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		time.Sleep(time.Minute)
		r.want("ask_", "0s ask logind", "0s ask systemctl", "1s ask logind", "1s ask systemctl", "3s ask logind")
		r.wantPhase(policy.Done)
	})
}

func TestAMethodThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
		stuck := make(chan struct{})
		r.chain[0].off = func(context.Context) error { <-stuck; return errRefused } // whatever its context says
		r.run()
		r.feed(power.Fail)
		time.Sleep(2 * time.Minute)
		r.want("ask_", "0s ask logind", "50s ask systemctl")
		r.wantPhase(policy.Done)
		close(stuck)
		r.stop()
	})
}

// TestLaw03CancelWhileTheCommitHooksRun: nothing is asked of the system, and what
// the commit's hooks stopped is started again, after they have ended.
func TestLaw03CancelWhileTheCommitHooksRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks)
		r.hook["stop-db"] = func(context.Context) error { time.Sleep(8 * time.Second); return nil }
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		time.Sleep(12 * time.Second)
		r.wantPhase(policy.Committed)
		r.feed(power.OK)
		r.wantPhase(policy.Idle)
		time.Sleep(time.Minute)
		r.want("hook_ ask_ begins ends",
			"10s hook stop-db begins",
			"18s hook stop-db ends",
			"18s hook stop-web begins",
			"18s hook stop-web ends",
			"18s hook start-db begins",
			"18s hook start-db ends",
		)
	})
}

// TestLaw03CancelWhileThePowerOffIsAsked: a command that still runs is killed, and
// what the system accepted by then counts.
func TestLaw03CancelWhileThePowerOffIsAsked(t *testing.T) {
	for name, accepted := range map[string]bool{"taken back": false, "accepted all the same": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
				r.chain[0].off = func(ctx context.Context) error {
					err := untilKilled(ctx)
					if accepted {
						return nil
					}
					return err
				}
				r.run()
				defer r.stop()
				r.feed(power.Fail)
				time.Sleep(5 * time.Second)
				r.feed(power.OK)
				if accepted {
					r.wantPhase(policy.Done)
				} else {
					r.wantPhase(policy.Idle)
				}
				time.Sleep(5 * time.Minute)
				r.want("ask_ cancel:", "0s ask logind", "5s cancel: logind")
				what := "cancelled"
				if accepted {
					what = "accepted"
				}
				r.want("poweroff:", "0s record poweroff: logind asked", "5s record poweroff: logind "+what)
			})
		})
	}
}

// TestLaw10MainsThatComeAndGoPileNoHooksUp: the last commit waits for the hooks that
// run, not for those of every commit before it.
func TestLaw10MainsThatComeAndGoPileNoHooksUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, strings.Replace(commitHooks, `"10s"`, `"0s"`, 1))
		for _, h := range []string{"stop-db", "stop-web"} {
			r.hook[h] = func(context.Context) error { time.Sleep(20 * time.Second); return nil }
		}
		r.run()
		defer r.stop()
		for range 5 {
			r.feed(power.Fail)
			time.Sleep(time.Second)
			r.feed(power.OK)
			time.Sleep(time.Second)
		}
		r.feed(power.Fail) // at 10 s
		time.Sleep(5 * time.Minute)
		r.want("begins ask_",
			"0s hook stop-db begins",
			"20s hook stop-web begins",
			"40s hook stop-db begins",
			"60s hook stop-web begins",
			"80s ask logind",
		)
	})
}

// TestLaw03ANewOutageDuringTheOldCommitsHooks: the answer of the first commit's
// hooks is not the second's, and a cancel that came too late is left out.
// TestLaw03CancelWhileTheRecordIsAwaited: what was taken back before it was asked is
// never asked.
func TestLaw03CancelWhileTheRecordIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
		r.run()
		defer r.stop()
		r.journal.set(700*time.Millisecond, nil)
		r.feed(power.Fail)
		r.wantPhase(policy.Committed)
		time.Sleep(100 * time.Millisecond)
		r.feed(power.OK)
		r.wantPhase(policy.Idle)
		time.Sleep(5 * time.Minute)
		r.want("ask_")
		r.wantPhase(policy.Idle)
	})
}

func TestLaw03ANewOutageDuringTheOldCommitsHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks)
		r.hook["stop-db"] = func(context.Context) error { time.Sleep(20 * time.Second); return nil }
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		time.Sleep(11 * time.Second)
		r.feed(power.OK)
		time.Sleep(time.Second)
		r.feed(power.Fail)
		time.Sleep(2 * time.Minute)
		r.want("begins ask_",
			"10s hook stop-db begins",
			"30s hook stop-web begins",
			"30s hook stop-db begins",
			"50s hook stop-web begins",
			"50s ask logind",
		)
	})
}

func TestLaw10AHangingHookIsKilledOrLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks)
		stuck := make(chan struct{})
		r.hook["stop-db"] = func(context.Context) error { <-stuck; return nil } // in the kernel, not to be killed
		r.hook["stop-web"] = untilKilled
		r.run()
		r.feed(power.Fail)
		time.Sleep(2 * time.Minute)
		r.want("begins ask_", "10s hook stop-db begins", "42s hook stop-web begins", "72s ask logind")
		if p := r.problem("hook"); !strings.Contains(p, `the hook /stop-db failed on "commit": it was killed after 30s and does not end`) {
			t.Errorf("the problem is %q", p)
		}
		close(stuck)
		r.stop()
	})
}

func TestOtherHooksDelayNoCommitAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks+`
[[hook]]
on = ["fail"]
run = ["/mail-fail"]
[[hook]]
on = ["ok"]
run = ["/mail-ok"]
`)
		r.hook["mail-fail"] = func(context.Context) error { time.Sleep(15 * time.Second); return nil }
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		time.Sleep(5 * time.Second)
		r.feed(power.OK)
		time.Sleep(time.Second)
		r.feed(power.Fail)
		time.Sleep(2 * time.Minute)
		r.want("begins ask_",
			"0s hook mail-fail begins",
			"15s hook mail-ok begins",
			"15s hook start-db begins",
			"15s hook mail-fail begins",
			"16s hook stop-db begins",
			"16s hook stop-web begins",
			"16s ask logind",
		)
	})
}

// TestLaw10TheOwnerIsNeverHeld: people whose terminals hang, a journal that never
// answers, hooks that never end, and still every update is handled at once.
func TestLaw10TheOwnerIsNeverHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks+"[[hook]]\non = [\"fail\", \"ok\", \"grace\", \"problem\", \"clear\"]\nrun = [\"/hang\"]\n")
		stuck := make(chan struct{})
		r.o.Wall = func(context.Context, string) { <-stuck }
		r.hook["hang"] = func(context.Context) error { <-stuck; return nil }
		r.journal.set(-1, nil)
		r.run()
		for range 100 {
			r.feed(power.Fail)
			r.wantPhase(policy.Grace)
			r.feed(power.OK)
			r.wantPhase(policy.Idle)
		}
		if now := r.now(); now != base {
			t.Errorf("it took %s", now.Sub(base))
		}
		close(stuck)
		time.Sleep(time.Hour)
		r.stop()
	})
}

// TestTheStopWaitsForAPowerOffUnderWay: the service manager stopping us is the
// shutdown.
func TestTheStopWaitsForAPowerOffUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
		r.chain[0].off = func(ctx context.Context) error {
			time.Sleep(10 * time.Second)
			r.tell(fmt.Sprintf("ask still wanted: %v", ctx.Err() == nil))
			return nil
		}
		r.run()
		r.feed(power.Fail)
		time.Sleep(time.Second)
		r.stop()
		r.want("ask_", "0s ask logind", "10s ask still wanted: true")
	})
}

// TestTheStopLeavesHooksToFinish: and nothing waits behind them for ever.
func TestTheStopLeavesHooksToFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, commitHooks)
		r.hook["stop-db"] = func(context.Context) error { time.Sleep(8 * time.Second); return nil }
		r.run()
		r.feed(power.Fail)
		time.Sleep(12 * time.Second)
		r.feed(power.OK) // the cancel hook waits
		r.stop()
		time.Sleep(time.Minute)
		r.want("hook_", "10s hook stop-db begins", "18s hook stop-db ends", "18s hook stop-web begins", "18s hook stop-web ends")
	})
}

func TestADriverNeedsAMethodAndAClock(t *testing.T) {
	if _, err := NewDriver(Options{}); err == nil {
		t.Error("a driver without anything was made")
	}
}
