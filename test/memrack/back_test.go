package memrack_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// known is a UPS whose battery lasts 20 minutes, and hooks that wake machines.
const known = "[ups.battery]\nruntime = \"20m\"\nrecharge = \"2h\"\n"

// quick is a node that goes after 10 s and is off after 5.
const quick = "[policy]\ngrace = \"10s\"\ngrace_min = \"1s\"\n[shutdown]\nstop_time = \"5s\"\n"

// backRack is a rack whose machines go off 5 s after they asked, and boot when they are
// woken.
type backRack struct {
	*memrack.Rack
	t     *testing.T
	nodes map[string]*memrack.Node
	dead  map[string]bool // nothing starts it
	off   map[string]time.Duration
	asked map[string]int // how many power-offs were carried out
	woken map[string]int // how many packets were obeyed, or came too early
	said  []string
}

func newBackRack(t *testing.T, config string, names ...string) *backRack {
	r := &backRack{
		Rack: memrack.New(t, config), t: t, nodes: map[string]*memrack.Node{}, dead: map[string]bool{},
		off: map[string]time.Duration{}, asked: map[string]int{}, woken: map[string]int{},
	}
	for _, n := range names {
		r.nodes[n] = r.Join(n, quick)
	}
	r.Advance(time.Minute)
	return r
}

// live lets d pass; who asked goes off, and who is woken comes up.
func (r *backRack) live(d time.Duration) {
	r.t.Helper()
	for end := r.Since() + d; r.Since() < end; {
		r.Advance(min(time.Second, end-r.Since()))
		for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
			n := r.nodes[name]
			_, off := r.off[name]
			if offs := n.Offs(); !off && len(offs) > r.asked[name] && r.Since()-offs[len(offs)-1] >= 5*time.Second {
				r.asked[name] = len(offs)
				r.SwitchOff(n)
				r.off[name] = r.Since()
				r.said = append(r.said, name+" off")
			}
			if woken := n.Woken(); len(woken) > r.woken[name] {
				r.woken[name] = len(woken)
				if off && !r.dead[name] {
					delete(r.off, name)
					r.SwitchOn(n)
					r.said = append(r.said, name+" on")
				}
			}
		}
	}
}

func (r *backRack) want(says ...string) {
	r.t.Helper()
	if diff := cmp.Diff(strings.Join(says, ", "), strings.Join(r.said, ", ")); diff != "" {
		r.t.Errorf("%s after the beginning (-want +got):\n%s", r.Since(), diff)
	}
	r.said = nil
}

// up holds that everybody is attached and idle.
func (r *backRack) up() {
	r.t.Helper()
	for name := range r.nodes {
		n := r.Node(name)
		if n.GetLink() != upsv1.Link_LINK_UP || n.GetReport().GetPhase() != upsv1.Phase_PHASE_IDLE || n.GetComeback() != nil {
			r.t.Errorf("%s is %s, %s, comeback %q", name, n.GetLink(), n.GetReport().GetPhase(), n.GetComeback().GetText())
		}
	}
}

func inBubble(t *testing.T, config string, names []string, test func(r *backRack)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newBackRack(t, config, names...)
		defer r.Stop()
		test(r)
	})
}

func TestLaw07WhoWentIsWoken(t *testing.T) {
	inBubble(t, known, []string{"db1", "web1"}, func(r *backRack) {
		r.Sim(fail)
		r.live(time.Minute)
		r.want("db1 off", "web1 off")
		if text := r.Node("web1").GetComeback().GetText(); text != "down; waits for power" {
			t.Errorf("on battery it says %q", text)
		}
		r.Sim(ok)
		r.live(30 * time.Second)
		r.want() // the power has not been steady for a minute
		if text := r.Node("web1").GetComeback().GetText(); text != "down; waits for 1m0s of steady power" {
			t.Errorf("with the power back it says %q", text)
		}
		r.live(time.Minute)
		if len(r.said) != 2 {
			t.Errorf("it said %q, want both on", r.said)
		}
		r.up()
		for name, n := range r.nodes {
			if diff := cmp.Diff([]string{"cycle", "wol"}, n.Armed()); diff != "" {
				t.Errorf("%s armed (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestLaw07TheMasterGoesToo: what it knew lies on disk, and it goes on where it was.
func TestLaw07TheMasterGoesToo(t *testing.T) {
	for name, when := range map[string]func(r *backRack){
		"in the outage": func(r *backRack) {
			r.live(time.Minute)
			r.want("db1 off", "web1 off")
			r.RebootMaster(time.Hour)
		},
		"before anybody had gone, and nobody was heard again": func(r *backRack) {
			r.live(5 * time.Second)
			for _, n := range r.nodes { // the battery is empty
				r.SwitchOff(n)
			}
			r.off["db1"], r.off["web1"] = 0, 0
			r.RebootMaster(time.Hour)
		},
		"when it had begun to wake": func(r *backRack) {
			r.live(time.Minute)
			r.want("db1 off", "web1 off")
			r.dead["db1"], r.dead["web1"] = true, true
			r.Sim(ok)
			r.live(5 * time.Minute)
			r.want()
			r.dead["db1"], r.dead["web1"] = false, false
			r.RebootMaster(time.Hour)
		},
		"twice": func(r *backRack) {
			r.live(time.Minute)
			r.want("db1 off", "web1 off")
			r.RebootMaster(time.Hour)
			r.live(20 * time.Second)
			r.RebootMaster(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, known, []string{"db1", "web1"}, func(r *backRack) {
				r.Sim(fail)
				when(r)
				r.live(3 * time.Minute) // a sim port begins with OK
				if len(r.said) != 2 {
					r.t.Errorf("it said %q, want both on", r.said)
				}
				r.up()
			})
		})
	}
}

// TestLaw07TheMasterDiesAtAnyMoment: every 5 s from before the outage until everybody is
// back, its disk losing what was not synced.
func TestLaw07TheMasterDiesAtAnyMoment(t *testing.T) {
	for at := time.Duration(0); at < 150*time.Second; at += 5 * time.Second {
		t.Run(at.String(), func(t *testing.T) {
			inBubble(t, known, []string{"db1", "web1"}, func(r *backRack) {
				r.GiveDisk()
				r.live(10 * time.Second)
				on := map[time.Duration]func(){5 * time.Second: func() { r.Sim(fail) }, time.Minute: func() { r.Sim(ok) }}
				for now := time.Duration(0); now <= 150*time.Second; now += time.Second {
					if now == at {
						r.RebootMaster(20 * time.Second)
					}
					if do := on[now]; do != nil {
						do()
					}
					r.live(time.Second)
				}
				r.live(5 * time.Minute)
				r.up()
				if len(r.off) > 0 {
					r.t.Errorf("it said %q, and these stay down: %v", r.said, r.off)
				}
			})
		})
	}
}

func TestLaw07ASecondOutageInTheMiddle(t *testing.T) {
	inBubble(t, known, []string{"db1", "web1"}, func(r *backRack) {
		r.Sim(fail)
		r.live(time.Minute)
		r.want("db1 off", "web1 off")
		r.dead["db1"] = true
		r.Sim(ok)
		r.live(2 * time.Minute)
		r.want("web1 on")
		before := len(r.nodes["db1"].Woken())
		r.Sim(fail)
		r.live(5 * time.Minute)
		r.want("web1 off")
		if n := len(r.nodes["db1"].Woken()); n != before {
			t.Errorf("db1 was woken %d times on battery", n-before)
		}
		r.dead["db1"] = false
		r.Sim(ok)
		r.live(2 * time.Minute)
		if len(r.said) != 2 {
			t.Errorf("it said %q, want both on", r.said)
		}
		r.up()
	})
}

func TestWhoStaysDownIsAProblemUntilItIsReleased(t *testing.T) {
	inBubble(t, known, []string{"web1"}, func(r *backRack) {
		r.dead["web1"] = true
		r.Sim(fail)
		r.live(time.Minute)
		r.Sim(ok)
		r.live(5 * time.Minute)
		if text := trouble(r, "stays-down"); text != "" {
			t.Errorf("after 5 minutes it says %q", text)
		}
		r.live(20 * time.Minute)
		if text := trouble(r, "stays-down"); !strings.Contains(text, "it was woken 6 times; switch it on, or end the tries by upsctl release web1") {
			t.Errorf("it says %q", text)
		}
		if text := trouble(r, "node-lost"); text != "" {
			t.Errorf("it says it twice: %q", text)
		}
		if _, err := upsv1.NewControlServiceClient(r.Client()).Release(r.t.Context(), &upsv1.ReleaseRequest{Nodes: []string{"web1"}}); err != nil {
			t.Fatal(err)
		}
		before := len(r.nodes["web1"].Woken())
		r.live(time.Hour)
		if n := len(r.nodes["web1"].Woken()); n != before {
			t.Errorf("it was woken %d times after the release", n-before)
		}
		if r.Node("web1").GetComeback() != nil || trouble(r, "stays-down") != "" {
			t.Error("it is still to come back")
		}
	})
}

// trouble returns what the master says by that name.
func trouble(r *backRack, name string) string {
	r.t.Helper()
	for _, p := range r.Status().GetProblems() {
		if p.GetName() == name {
			return p.GetText()
		}
	}
	return ""
}

func TestShutDownToBeWoken(t *testing.T) {
	inBubble(t, known, []string{"web1"}, func(r *backRack) {
		c := upsv1.NewControlServiceClient(r.Client())
		if _, err := c.Shutdown(r.t.Context(), &upsv1.ShutdownRequest{Nodes: []string{"web1"}, Wake: true}); err != nil {
			t.Fatal(err)
		}
		r.live(2 * time.Minute)
		r.want("web1 off", "web1 on")
		r.up()
		if r.Node("web1").GetProof().GetBackWall() == "" {
			t.Error("the way back is not proved")
		}
		// Without, it stays down.
		if _, err := c.Shutdown(r.t.Context(), &upsv1.ShutdownRequest{Nodes: []string{"web1"}}); err != nil {
			t.Fatal(err)
		}
		r.live(time.Hour)
		r.want("web1 off")
	})
}

func TestAWakeHook(t *testing.T) {
	const config = known + "[[hook]]\non = [\"wake\"]\nrun = [\"/bin/true\"]\n"
	synctest.Test(t, func(t *testing.T) {
		r := newBackRack(t, config)
		defer r.Stop()
		var ran []string
		r.Exec = func(_ context.Context, c shutdown.Cmd) (string, error) {
			ran = append(ran, strings.Join(c.Env, " "))
			return "", nil
		}
		r.StopMaster()
		r.StartMaster() // with Exec
		r.nodes["web1"] = r.Join("web1", quick+"[wake]\nmethod = [\"hook\"]\n")
		r.Advance(settle)
		r.Sim(fail)
		r.live(time.Minute)
		r.Sim(ok)
		r.live(65 * time.Second)
		if len(ran) != 1 || !strings.Contains(ran[0], "LASTWATT_EVENT=wake ") || !strings.Contains(ran[0], "LASTWATT_NODE=web1 ") {
			t.Errorf("the hook ran with %q", ran)
		}
		if n := len(r.nodes["web1"].Woken()); n > 0 {
			t.Errorf("%d magic packets, and its method is hook", n)
		}
	})
}
