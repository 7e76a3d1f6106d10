package memrack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// drill is one that runs beside the test.
type drill struct {
	end  context.CancelFunc
	done chan struct{} // closed when it is over
	last *upsv1.DrillResponse
	err  error
}

// beginDrill asks the first master for a drill.
func (r *Rack) beginDrill(long time.Duration, low bool, nodes ...string) *drill {
	r.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	d := &drill{end: end, done: make(chan struct{})}
	stream, err := upsv1.NewControlServiceClient(r.Client()).Drill(ctx, &upsv1.DrillRequest{For: durationpb.New(long), Batlow: low, Nodes: nodes})
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		defer end()
		for {
			is, err := stream.Recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					d.err = err
				}
				return
			}
			d.last = is
		}
	}()
	synctest.Wait()
	return d
}

// result waits for the end and returns a line for each node.
func (d *drill) result(t *testing.T) []string {
	t.Helper()
	<-d.done
	if d.err != nil {
		t.Fatal(d.err)
	}
	if !d.last.GetOver() {
		t.Errorf("the last word says that it goes on: %v", d.last)
	}
	var out []string
	for _, n := range d.last.GetNodes() {
		line := n.GetName() + ":"
		if n.GetMissing() != "" {
			line += " missing: " + n.GetMissing()
		}
		if n.GetLate() {
			line += " late"
		}
		if n.GetPlanned() != nil {
			line += fmt.Sprintf(" planned %s", n.GetPlanned().AsDuration())
		}
		r := n.GetReport()
		if r.GetGoes() != nil {
			line += fmt.Sprintf(" goes %s", r.GetGoes().AsDuration().Round(time.Second))
		}
		for _, s := range r.GetSteps() {
			line += fmt.Sprintf(" %s@%s", strings.TrimPrefix(s.GetPhase().String(), "PHASE_"), s.GetAfter().AsDuration().Round(time.Second))
		}
		for _, h := range r.GetRan() {
			line += fmt.Sprintf(" ran %s on %s %q", h.GetResult().GetName(), h.GetEvent(), h.GetResult().GetError())
		}
		if len(r.GetLeftAside()) > 0 {
			line += " aside " + strings.Join(r.GetLeftAside(), ", ")
		}
		if r.GetMethod() != "" {
			line += " by " + r.GetMethod()
		}
		if r.GetLeftOut() != "" {
			line += " left out: " + r.GetLeftOut()
		}
		out = append(out, line)
	}
	return out
}

// settings of the nodes in the tests of drills.
const (
	drillHook   = "[[hook]]\non = [\"fail\", \"cancel\"]\nrun = [\"/bin/true\"]\ndrill = true\n[[hook]]\non = [\"commit\"]\nrun = [\"/bin/false\"]\n"
	drillNode   = "[node]\nobey_sim = true\n[node.policy]\ngrace = \"10m\"\nwait_for = [\"*\"]\n"
	drillShort  = "[policy]\ngrace = \"5s\"\n[shutdown]\nstop_time = \"4s\"\n"
	drillLonger = "[policy]\ngrace = \"5m\"\n"
)

// TestLaw11ADrillTellsWhatEverybodyWouldDo: and nobody does it.
func TestLaw11ADrillTellsWhatEverybodyWouldDo(t *testing.T) {
	for name, c := range map[string]struct {
		low  bool
		want []string
	}{
		"on battery": {false, []string{
			"db1: planned 5m0s goes 5m0s GRACE@0s IDLE@30s ran /bin/true on fail \"\" ran /bin/true on cancel \"\"",
			"gone: missing: its agent was stopped planned 5m0s",
			"rack1: planned 10m0s goes 10m0s GRACE@0s IDLE@30s",
			"web1: planned 5s goes 5s GRACE@0s COMMITTED@5s IDLE@30s by recorder",
		}},
		"until the battery is low": {true, []string{
			"db1: planned 2s goes 2s GRACE@0s COMMITTED@2s IDLE@30s ran /bin/true on fail \"\" ran /bin/true on cancel \"\" aside /bin/false on commit by recorder",
			"gone: missing: its agent was stopped planned 2s",
			"rack1: planned 2s goes 2s GRACE@0s WAITING@2s COMMITTED@22s IDLE@30s by none",
			"web1: planned 2s goes 2s GRACE@0s COMMITTED@2s IDLE@30s by recorder",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRack(t)
				r.Exec = func(context.Context, shutdown.Cmd) (string, error) { return "", nil }
				r.addMaster("rack1", "master", simUPSText+drillNode, r.switchedOn(shutdown.None()))
				r.StartMaster()
				defer r.Stop()
				nodes := []*Node{r.Join("db1", drillLonger+drillHook), r.Join("web1", drillShort), r.Join("gone", drillLonger)}
				r.Sim(upsv1.Status_STATUS_OK)
				r.Advance(5 * time.Second)
				r.StopAgent(nodes[2])
				r.Advance(time.Second)
				d := r.beginDrill(30*time.Second, c.low)
				r.Advance(10 * time.Second)
				if is := r.Status().GetDrill(); is.GetLeft().AsDuration() != 20*time.Second || is.GetCount() != 4 {
					t.Errorf("the status says of the drill %v", is)
				}
				for _, n := range r.Status().GetNodes() {
					if n.GetReport().GetPhase() != upsv1.Phase_PHASE_IDLE || n.GetReport().GetDrill() != (n.GetName() != "gone") {
						t.Errorf("%s is %v in the drill", n.GetName(), n.GetReport())
					}
				}
				if d := cmp.Diff(c.want, d.result(t)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				r.Advance(5 * time.Second)
				for _, n := range nodes {
					if len(n.Offs()) > 0 {
						t.Errorf("%s was asked to power off", n.name)
					}
				}
				if is := r.Status().GetDrill(); is != nil {
					t.Errorf("it is over, and the status says %v", is)
				}
				if n := r.Node("db1").GetReport(); n.GetDrill() {
					t.Error("db1 still takes part in it")
				}
			})
		})
	}
}

// drillRack is a rack with a host and two nodes, of which one has a drill hook, on good
// power for a while.
func drillRack(t *testing.T) (r *Rack, hooks *hookLog) {
	r = newRack(t)
	hooks = &hookLog{r: r}
	r.Exec = hooks.run
	r.addMaster("rack1", "master", simUPSText+drillNode, r.switchedOn(shutdown.None()))
	r.StartMaster()
	r.Join("db1", drillLonger+drillHook)
	r.Join("web1", drillShort)
	r.Sim(upsv1.Status_STATUS_OK)
	r.Advance(5 * time.Second)
	return r, hooks
}

// hookLog is every hook that was run, with how it was called, and when after the first.
type hookLog struct {
	r     *Rack
	takes time.Duration
	mu    sync.Mutex
	lines []string
}

func (h *hookLog) run(ctx context.Context, c shutdown.Cmd) (string, error) {
	var env []string
	for _, v := range c.Env {
		if name, is, _ := strings.Cut(v, "="); slices.Contains([]string{"LASTWATT_EVENT", "LASTWATT_STATE", "LASTWATT_PHASE", "LASTWATT_DRILL"}, name) {
			env = append(env, is)
		}
	}
	select {
	case <-time.After(h.takes):
		env = append(env, "done")
	case <-ctx.Done():
		env = append(env, "killed")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, strings.Join(append([]string{c.Argv[0]}, env...), " "))
	return "", ctx.Err()
}

func (h *hookLog) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := cmp.Diff(want, h.lines); d != "" {
		t.Errorf("hooks (-want +got):\n%s", d)
	}
	h.lines = nil
}

// TestLaw11ARealFailureEndsADrill: everywhere at once, and everybody goes as if there
// had been none.
func TestLaw11ARealFailureEndsADrill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, hooks := drillRack(t)
		defer r.Stop()
		hooks.takes = 8 * time.Second
		d := r.beginDrill(time.Minute, false)
		r.Advance(3 * time.Second)
		failed := r.Since()
		r.Sim(upsv1.Status_STATUS_FAIL)
		r.Advance(time.Second)
		if is := r.Status().GetDrill(); is.GetLeft() != nil {
			t.Errorf("it goes on: %v", is)
		}
		for name, want := range map[string]time.Duration{"db1": 5 * time.Minute, "web1": 5 * time.Second, "rack1": 10 * time.Minute} {
			n := r.Node(name).GetReport()
			if left := n.GetDeadline().AsDuration() + r.Since() - failed; n.GetPhase() != upsv1.Phase_PHASE_GRACE || (left-want).Abs() > time.Second || n.GetDrill() {
				t.Errorf("%s: %v, and it would go %s after the failure, not %s", name, n, left, want)
			}
		}
		const ended = "the drill was ended: the power failed, or this machine was told to go"
		want := []string{
			"db1: planned 5m0s goes 5m0s GRACE@0s ran /bin/true on fail \"the power failed, or this machine was told to go\" left out: " + ended + "; hooks were ended or left out",
			"rack1: planned 10m0s goes 10m0s GRACE@0s left out: " + ended,
			"web1: planned 5s goes 5s GRACE@0s left out: " + ended,
		}
		got := d.result(t)
		for i := range got { // the hook may have been told of its end by another road
			got[i] = strings.ReplaceAll(got[i], `"context canceled"`, `"the power failed, or this machine was told to go"`)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if why := d.last.GetEnded(); why != "main is on battery" {
			t.Errorf("it says that it ended because %q", why)
		}
		r.Advance(8 * time.Second)
		if offs := r.nodes["web1"].Offs(); len(offs) != 1 || (offs[0]-failed-5*time.Second).Abs() > time.Second {
			t.Errorf("web1 went at %v, the power failed at %s", offs, failed)
		}
		hooks.want(t, "/bin/true fail FAIL GRACE 1 killed", "/bin/true fail FAIL GRACE 0 done")
		if err := r.refusedDrill(); err != "the UPS main is FAIL; try again when the power is back" {
			t.Errorf("on battery: %s", err)
		}
	})
}

// refusedDrill says why no drill may begin.
func (r *Rack) refusedDrill(nodes ...string) string {
	r.t.Helper()
	d := r.beginDrill(time.Second, false, nodes...)
	<-d.done
	return api.Message(d.err)
}

// TestLaw11ADrillEndsWithItsMaster, with its link and with whoever asked for it; and
// what a hook began at the failure its other half undoes.
func TestLaw11ADrillEndsWithItsMaster(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(r *Rack, d *drill)
		after time.Duration
	}{
		"whoever asked hangs up": {func(_ *Rack, d *drill) { d.end() }, 0},
		"the master stops":       {func(r *Rack, _ *drill) { r.StopMaster() }, time.Second},
		"the link breaks":        {func(r *Rack, _ *drill) { r.Net.Cut("db1") }, 4 * time.Second},
		"its time is up":         {func(*Rack, *drill) {}, 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, hooks := drillRack(t)
				defer r.Stop()
				d := r.beginDrill(time.Minute, true)
				defer d.end()
				r.Advance(10 * time.Second)
				hooks.want(t, "/bin/true fail FAIL GRACE 1 done")
				c.end(r, d)
				r.Advance(c.after + 100*time.Millisecond)
				hooks.want(t, "/bin/true cancel OK IDLE 1 done")
				if n := r.Own(r.nodes["db1"]); n.GetPhase() != upsv1.Phase_PHASE_IDLE || n.GetDrill() {
					t.Errorf("db1: %v", n)
				}
				if c.after == 0 {
					if err := r.refusedDrill(); err != "" {
						t.Errorf("another may not begin: %s", err)
					}
				}
				for _, n := range r.nodes {
					if len(n.Offs()) > 0 {
						t.Errorf("%s was asked to power off", n.name)
					}
				}
			})
		})
	}
}

func TestWhoIsMissingInADrill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, hooks := drillRack(t)
		defer r.Stop()
		lost, never := r.Join("lost", drillLonger), r.Join("never", drillLonger)
		r.Join("held", drillShort)
		r.Advance(2 * time.Second)
		r.Net.Cut(lost.name)
		r.StopAgent(never)
		r.StopMaster()
		r.StartMaster() // which has not heard never
		r.Advance(time.Second)
		r.Sim(upsv1.Status_STATUS_OK)
		r.Advance(10 * time.Second)
		if _, err := upsv1.NewControlServiceClient(r.Client()).Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"held"}, For: durationpb.New(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		hooks.takes = 4 * time.Second // doctor's drill, beside
		go func() {
			_, _ = upsv1.NewControlServiceClient(r.Client()).Examine(context.Background(), &upsv1.ExamineRequest{Drill: true})
		}()
		r.Advance(time.Second)
		d := r.beginDrill(20*time.Second, false)
		if err := r.refusedDrill(); err != "a drill by root is on; try again when it is over" {
			t.Errorf("a second one: %s", err)
		}
		want := []string{
			"db1: missing: another drill runs on this node; try again when it has ended planned 5m0s left out: another drill runs on this node; try again when it has ended",
			"held: HELD@0s IDLE@20s HELD@20s",
			"lost: missing: it has not attached since this master started",
			"never: missing: it has not attached since this master started",
			"rack1: planned 10m0s goes 10m0s GRACE@0s IDLE@20s",
			"web1: planned 5s goes 5s GRACE@0s COMMITTED@5s IDLE@20s by recorder",
		}
		if d := cmp.Diff(want, d.result(t)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if err := r.refusedDrill("web1", "nobody"); !strings.Contains(err, `there is no node "nobody"`) {
			t.Errorf("nobody: %s", err)
		}
		d = r.beginDrill(10*time.Second, false, "web1")
		if d := cmp.Diff([]string{"web1: planned 5s goes 5s GRACE@0s COMMITTED@5s IDLE@10s by recorder"}, d.result(t)); d != "" {
			t.Errorf("one alone (-want +got):\n%s", d)
		}
	})
}

// TestADrillOfHundreds: everybody answers within a second.
func TestADrillOfHundreds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRack(t)
		r.addMaster("rack1", "master", simUPSText+drillNode, r.switchedOn(shutdown.None()))
		r.StartMaster()
		defer r.Stop()
		for i := range 100 {
			r.Join(fmt.Sprintf("n%d", i), drillShort)
		}
		r.Sim(upsv1.Status_STATUS_OK)
		r.Advance(5 * time.Second)
		d := r.beginDrill(10*time.Second, true)
		<-d.done
		if d.err != nil || len(d.last.GetNodes()) != 101 {
			t.Fatalf("%v: %d nodes", d.err, len(d.last.GetNodes()))
		}
		for _, n := range d.last.GetNodes() {
			if n.GetMissing() != "" || n.GetLate() || n.GetAnswered().AsDuration() > time.Second {
				t.Errorf("%v", n)
			}
		}
	})
}
