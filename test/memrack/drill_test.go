package memrack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

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
