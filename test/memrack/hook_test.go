package memrack_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// hooks runs hooks as their first argument says: "hang" lasts until it is killed,
// "stuck" can't be killed, "wrong" fails, all others end at once.
type hooks struct {
	over chan struct{} // closed at the end: whatever still runs ends

	mu  sync.Mutex
	ran []shutdown.Cmd
}

func (h *hooks) exec(ctx context.Context, c shutdown.Cmd) (string, error) {
	h.mu.Lock()
	h.ran = append(h.ran, c)
	h.mu.Unlock()
	killed := ctx.Done()
	switch c.Argv[len(c.Argv)-1] {
	case "wrong":
		return "no", errors.New("exit status 1")
	case "stuck":
		killed = nil
	case "hang":
	default:
		return "", nil
	}
	select {
	case <-killed:
		return "", context.Cause(ctx)
	case <-h.over:
		return "", nil
	}
}

// begun returns the hooks of one name that began since it was asked last: the event,
// and all else that it is told and that is not empty. They are sorted, because those of
// a commit wait for no others.
func (h *hooks) begun(name string) []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for i, c := range h.ran {
		if len(c.Argv) < 2 || c.Argv[1] != name {
			continue
		}
		var line []string
		for _, e := range c.Env {
			k, v, _ := strings.Cut(e, "=")
			switch k = strings.TrimPrefix(k, "LASTWATT_"); {
			case k == "TEXT" && v != "" && !strings.Contains(v, "\n"), k == "PATH" && v != "", k == "DRILL" && v == "0":
			case k == "OUTAGE" && strings.HasPrefix(v, "boot-"):
				line = append(line, "OUTAGE")
			case v != "":
				line = append(line, k+"="+v)
			}
		}
		if len(c.Env) != 10 {
			line = append(line, fmt.Sprint(c.Env))
		}
		out = append(out, strings.Join(line, " "))
		h.ran[i].Argv = nil
	}
	slices.Sort(out)
	return out
}

// hooked runs test on a rack whose hooks are run by hooks.
func hooked(t *testing.T, master string, test func(t *testing.T, r *memrack.Rack, h *hooks)) {
	synctest.Test(t, func(t *testing.T) {
		h := &hooks{over: make(chan struct{})}
		defer close(h.over)
		r := memrack.New(t, master)
		defer r.Stop()
		r.Exec = h.exec
		r.StopMaster()
		r.StartMaster()
		test(t, r, h)
	})
}

// hook is one in a configuration.
func hook(how, timeout string, on ...string) string {
	return fmt.Sprintf("[[hook]]\non = [%s]\nrun = [\"/bin/true\", %q]\ntimeout = %q\n", `"`+strings.Join(on, `", "`)+`"`, how, timeout)
}

// TestLaw10HooksDelayNothingButTheirOwnCommit: a hook may hang, and then the power-off
// waits for those of the commit, for as long as they may take.
func TestLaw10HooksDelayNothingButTheirOwnCommit(t *testing.T) {
	const (
		grace = 5 * time.Minute
		never = time.Duration(-1)
		// A hook that can't be killed is left behind that much later.
		left = 2 * time.Second
	)
	all := []string{"fail", "grace", "batlow", "cancel", "ok", "problem", "clear"}
	for name, tc := range map[string]struct {
		master, node string
		drill        bool
		then         upsv1.Status  // than FAIL
		after        time.Duration // the failure
		want         time.Duration // after the failure
	}{
		"none":                  {want: grace},
		"all hang":              {node: hook("hang", "1h", all...), want: grace},
		"all are stuck":         {node: hook("stuck", "1h", all...), want: grace},
		"all fail":              {node: hook("wrong", "1m", append(all, "commit")...), want: grace},
		"none is there":         {node: strings.ReplaceAll(hook("", "1m", "fail", "commit"), "/bin/true", "/bin/no-such-hook"), want: grace},
		"the commit's hangs":    {node: hook("hang", "20s", "commit"), want: grace + 20*time.Second},
		"the commit's is stuck": {node: hook("stuck", "20s", "commit"), want: grace + 20*time.Second + left},
		"the commit's all do":   {node: hook("stuck", "10s", "commit") + hook("hang", "20s", "commit") + hook("wrong", "9s", "commit") + hook("", "1m", "commit"), want: grace + 30*time.Second + left},
		"all the others wait":   {node: hook("stuck", "1h", all...) + hook("hang", "20s", "commit"), want: grace + 20*time.Second},
		// BATLOW is believed after half a second.
		"the battery is empty":          {node: hook("stuck", "1h", all...) + hook("hang", "20s", "commit"), then: batlow, after: time.Minute, want: time.Minute + 20*time.Second + 500*time.Millisecond},
		"empty while the commit's hang": {node: hook("hang", "2m", "commit"), then: batlow, after: grace + 10*time.Second, want: grace + 2*time.Minute},
		// OK is believed after 2 s.
		"power is back while the commit's hang": {node: hook("hang", "20s", "commit"), then: ok, after: grace + 10*time.Second, want: never},
		"power is back while it is stuck":       {node: hook("stuck", "20s", "commit"), then: ok, after: grace + 10*time.Second, want: never},
		"the rack's are stuck":                  {master: hook("stuck", "1h", append(all, "report")...), want: grace},
		"a drill's hangs":                       {node: hook("hang", "1h", "ok") + "drill = true\n", drill: true, want: grace},
		"a drill's is stuck":                    {node: hook("stuck", "1h", "ok") + "drill = true\n", drill: true, want: grace},
	} {
		t.Run(name, func(t *testing.T) {
			hooked(t, tc.master, func(t *testing.T, r *memrack.Rack, _ *hooks) {
				web := r.Join("web1", tc.node)
				r.Advance(settle)
				var drill sync.WaitGroup
				if tc.drill {
					drill.Go(func() {
						// Its own test says what it answers.
						_, _ = upsv1.NewControlServiceClient(r.Client()).Examine(t.Context(), &upsv1.ExamineRequest{Drill: true})
					})
					r.Advance(10 * time.Second)
				}
				failed := r.Since()
				r.Sim(fail)
				if tc.after > 0 {
					r.Advance(tc.after)
					r.Sim(tc.then)
				}
				r.Advance(20 * time.Minute)
				r.Own(web) // it answers
				drill.Wait()
				switch offs := web.Offs(); {
				case tc.want == never && len(offs) == 0:
				case len(offs) != 1 || (offs[0]-failed-tc.want).Abs() > 10*time.Millisecond:
					t.Errorf("power-off asked at %v, want once, %s after %s", offs, tc.want, failed)
				}
			})
		})
	}
}

// everything is a hook on all events, and for drills.
const everything = "[[hook]]\non = [\"fail\", \"batlow\", \"ok\", \"grace\", \"cancel\", \"commit\", \"problem\", \"clear\", \"report\"]\ndrill = true\n"

// TestHooksAreToldWhatHappens: the node's, and those of the rack at the top of
// master.toml.
func TestHooksAreToldWhatHappens(t *testing.T) {
	hooked(t, everything+"run = [\"/bin/true\", \"rack\"]\n", func(t *testing.T, r *memrack.Rack, h *hooks) {
		r.Join("web1", everything+"run = [\"/bin/true\", \"web\"]\n")
		r.Advance(settle)
		h.begun("rack") // before there was a node
		step := func(what string, web, rack []string) {
			t.Helper()
			if d := cmp.Diff(web, h.begun("web")); d != "" {
				t.Errorf("%s, the node's hooks (-want +got):\n%s", what, d)
			}
			if d := cmp.Diff(rack, h.begun("rack")); d != "" {
				t.Errorf("%s, the rack's hooks (-want +got):\n%s", what, d)
			}
		}
		step("nothing", nil, nil)
		r.Sim(fail)
		r.Advance(time.Minute)
		step("the power fails", []string{
			"EVENT=fail STATE=FAIL PHASE=GRACE NODE=web1 UPS=rack1/main OUTAGE",
			"EVENT=grace STATE=FAIL PHASE=GRACE NODE=web1 UPS=rack1/main OUTAGE",
		}, []string{
			"EVENT=fail STATE=FAIL UPS=rack1/main OUTAGE",
			"EVENT=grace NODE=web1",
		})
		r.Sim(ok)
		r.Advance(time.Minute)
		step("it is back", []string{
			"EVENT=cancel STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main",
			"EVENT=ok STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main",
			"EVENT=report STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main",
		}, []string{
			"EVENT=cancel NODE=web1",
			"EVENT=ok STATE=OK UPS=rack1/main OUTAGE",
			"EVENT=report OUTAGE",
		})
		if _, err := upsv1.NewControlServiceClient(r.Client()).Examine(t.Context(), &upsv1.ExamineRequest{Drill: true}); err != nil {
			t.Error(err)
		}
		step("a drill", []string{
			"EVENT=fail STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main DRILL=1",
		}, nil)
		r.Net.Cut("web1")
		r.Advance(10 * time.Minute)
		step("the network", []string{
			"EVENT=problem STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main PROBLEM=link-lost",
		}, []string{
			"EVENT=problem NODE=web1 PROBLEM=node-lost",
		})
		r.Net.Heal("web1")
		r.Advance(time.Minute)
		step("it is healed", []string{
			"EVENT=clear STATE=OK PHASE=IDLE NODE=web1 UPS=rack1/main PROBLEM=link-lost",
		}, []string{
			"EVENT=clear NODE=web1 PROBLEM=node-lost",
		})
		r.Sim(fail)
		r.Advance(time.Minute)
		h.begun("web")
		h.begun("rack")
		r.Sim(batlow)
		r.Advance(time.Minute)
		step("the battery is empty", []string{
			"EVENT=batlow STATE=BATLOW PHASE=COMMITTED NODE=web1 UPS=rack1/main OUTAGE",
			"EVENT=commit STATE=BATLOW PHASE=COMMITTED NODE=web1 UPS=rack1/main OUTAGE",
		}, []string{
			"EVENT=batlow STATE=BATLOW UPS=rack1/main OUTAGE",
			"EVENT=commit NODE=web1",
		})
	})
}

// TestTheMastersHostRunsTheHooksOfItsOwnMachine: by the same way.
func TestTheMastersHostRunsTheHooksOfItsOwnMachine(t *testing.T) {
	hooked(t, everything+"run = [\"/bin/true\", \"top\"]\n[node]\nobey_sim = true\n[node.shutdown]\nmethod = [\"none\"]\n[[node.hook]]\non = [\"grace\"]\nrun = [\"/bin/true\", \"own\"]\n", func(t *testing.T, r *memrack.Rack, h *hooks) {
		r.Advance(settle)
		r.Sim(fail)
		r.Advance(time.Minute)
		for name, want := range map[string][]string{
			"top": {"EVENT=fail STATE=FAIL PHASE=GRACE NODE=rack1 UPS=rack1/main OUTAGE", "EVENT=grace STATE=FAIL PHASE=GRACE NODE=rack1 UPS=rack1/main OUTAGE"},
			"own": {"EVENT=grace STATE=FAIL PHASE=GRACE NODE=rack1 UPS=rack1/main OUTAGE"},
		} {
			if d := cmp.Diff(want, h.begun(name)); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	})
}

// TestProgramsOfAlarmsAreRunLikeHooks: with the message, on the node and on the master.
func TestProgramsOfAlarmsAreRunLikeHooks(t *testing.T) {
	const alarm = "[[alarm]]\nto = \"exec:/bin/true\"\n"
	hooked(t, alarm, func(t *testing.T, r *memrack.Rack, h *hooks) {
		r.Join("web1", alarm)
		r.Advance(settle)
		r.Sim(fail)
		r.Advance(time.Minute)
		h.mu.Lock()
		defer h.mu.Unlock()
		from := map[string]bool{}
		for _, c := range h.ran {
			if c.Argv[0] != "/bin/true" || len(c.Argv) != 1 || !strings.HasPrefix(c.Stdin, "{") {
				t.Errorf("it ran %+v", c)
			}
			for _, e := range c.Env {
				if v, ok := strings.CutPrefix(e, "LASTWATT_FROM="); ok {
					from[v] = true
				}
			}
		}
		if d := cmp.Diff(map[string]bool{"rack1": true, "web1": true}, from); d != "" {
			t.Errorf("who told (-want +got):\n%s", d)
		}
	})
}
