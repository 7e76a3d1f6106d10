package memrack

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// endRack is the rack of the transaction: web goes by itself, db only because the host
// does, app waits for db, and the host for web.
func endRack() (host endSpec, nodes []endSpec) {
	return endSpec{
			name:    "host",
			config:  "[node.policy]\ngrace = \"40s\"\nwait_for = [\"web\"]\n[node.shutdown]\nstop_time = \"10s\"\n",
			accepts: 2 * time.Second, goes: 8 * time.Second,
		}, []endSpec{
			{name: "web", config: "[policy]\ngrace = \"15s\"\n[shutdown]\nstop_time = \"10s\"\n", accepts: time.Second, goes: 8 * time.Second},
			{name: "db", config: "[policy]\ngrace = \"10m\"\n[shutdown]\nstop_time = \"15s\"\n", accepts: time.Second, goes: 13 * time.Second},
			{
				name:    "app",
				config:  "[policy]\ngrace = \"10m\"\nwait_for = [\"db\"]\nwait_limit = \"30s\"\n[shutdown]\nstop_time = \"10s\"\n",
				accepts: time.Second, goes: 9 * time.Second,
			},
		}
}

func TestLaw05TheWholeTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, nodes := endRack()
		w := newEndWorld(t, host, nodes...)
		defer w.stop()
		w.fails()
		w.liveTo(4 * time.Minute)
		var order []string
		for _, m := range w.marks {
			t.Logf("%8.3fs %s", m.at.Seconds(), m.name)
			order = append(order, m.name)
		}
		// web is off when it was silent for 30 s. Then the host goes and db with it; app
		// waits for db and is not waited for longer than 10 s, but the cut waits.
		want := []string{
			"web asked", "web accepted", "web off", "db asked", "db accepted", "lifted true", "host asked", "host accepted",
			"db off", "late", "app asked", "app accepted", "app off", "cut",
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if wait := w.marked("lifted true") - w.marked("db asked"); wait < 9*time.Second || wait > 11*time.Second {
			t.Errorf("the host waits %s for app, want 10s", wait)
		}
		if after := w.marked("cut") - w.marked("app asked"); after < 40*time.Second || after > 41*time.Second {
			t.Errorf("the load was cut %s after app asked, want its stop time and 30s", after)
		}
		for _, e := range w.wrong {
			t.Error(e)
		}
	})
}

// endFault is something that goes wrong in the middle of the transaction.
type endFault struct {
	name string
	do   func(w *endWorld)
	// over is what is done 1 s later, or mended 20 s later.
	over   func(w *endWorld)
	mended time.Duration
	// sick: the host's disk may not have taken the seal.
	sick bool
}

func endFaults() []endFault {
	kill := func(i int) endFault {
		of := func(w *endWorld) *endMachine {
			if i < 0 {
				return w.host
			}
			return w.machines[i]
		}
		return endFault{do: func(w *endWorld) { of(w).kill() }, over: func(w *endWorld) { of(w).start() }, mended: time.Second}
	}
	all := []endFault{
		{name: "mains back", do: func(w *endWorld) { w.setMains(true) }},
		{
			name: "mains back for 4s", do: func(w *endWorld) { w.setMains(true) },
			over: func(w *endWorld) { w.setMains(false) }, mended: 4 * time.Second,
		},
		{
			name: "disk read-only", do: func(w *endWorld) { w.disk.ReadOnly(true) },
			over: func(w *endWorld) { w.disk.ReadOnly(false) }, mended: 20 * time.Second, sick: true,
		},
		{
			name: "disk hangs", do: func(w *endWorld) { w.disk.Hang(true) },
			over: func(w *endWorld) { w.disk.Hang(false) }, mended: 20 * time.Second, sick: true,
		},
	}
	for i, name := range []string{"master killed", "agent of web killed", "agent of db killed", "agent of app killed"} {
		f := kill(i - 1)
		f.name = name
		all = append(all, f)
	}
	return all
}

// endPoints are the moments just before and just after each step of the transaction, as
// it is when nothing goes wrong.
func endPoints(t *testing.T) (points []time.Duration, steps map[time.Duration]string) {
	steps = map[time.Duration]string{}
	synctest.Test(t, func(t *testing.T) {
		host, nodes := endRack()
		w := newEndWorld(t, host, nodes...)
		defer w.stop()
		w.fails()
		w.liveTo(170 * time.Second)
		for _, m := range w.marks {
			for _, at := range []time.Duration{m.at - time.Millisecond, m.at + time.Millisecond} {
				if steps[at] == "" {
					points = append(points, at)
				}
				steps[at] += " " + m.name
			}
		}
	})
	return points, steps
}

// TestLaw05ARaceAtEveryStep lets each fault happen just before and just after every step
// of the transaction. Whatever happens: nobody is cut off who runs, nobody goes when power
// was back before its system accepted, and the host is up in the end, or comes back with
// its power.
func TestLaw05ARaceAtEveryStep(t *testing.T) {
	points, steps := endPoints(t)
	for _, f := range endFaults() {
		for _, at := range points {
			t.Run(fmt.Sprintf("%s at %s by%s", f.name, at, steps[at]), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { race(t, f, at) })
			})
		}
	}
}

const (
	mainsBack = 180 * time.Second // at the latest
	believed  = 3 * time.Second   // for that long OK must last, with a beat
)

func race(t *testing.T, f endFault, at time.Duration) {
	host, nodes := endRack()
	w := newEndWorld(t, host, nodes...)
	defer w.stop()
	w.fails()
	w.liveTo(at)
	back := mainsBack
	f.do(w)
	if w.mains && f.over == nil {
		back = at
	}
	if f.over != nil {
		w.live(f.mended)
		f.over(w)
	}
	w.liveTo(mainsBack)
	w.setMains(true)
	w.live(20 * time.Second)
	for _, e := range w.wrong {
		t.Error(e)
	}
	hostTook, _ := w.host.gone()
	for _, m := range append(w.machines, w.host) {
		took, _ := m.gone()
		switch {
		case m != w.host && !hostTook.IsZero() && hostTook.Sub(w.failed) < back+believed-masterEnds:
			// Its master ended before it could say so, and it counts on.
		case took.IsZero():
			if is := w.report(m).GetPhase(); is != upsv1.Phase_PHASE_IDLE {
				t.Errorf("law 3: power is back, and %s is %s", m.name, is)
			}
		case took.Sub(w.failed) > back+believed:
			t.Errorf("law 3: power was back at %s, and the power-off of %s is accepted at %s", back, m.name, took.Sub(w.failed))
		}
	}
	switch {
	case hostTook.IsZero() && w.hasSeal():
		t.Error("law 5: the host stays up, and there is a seal")
	case !hostTook.IsZero() && w.ended != "cut" && w.ended != "rebooted" && !f.sick:
		t.Errorf("law 7: the host is %q for ever (%v)", w.ended, w.sealErr)
	case w.marked("db asked") < 29*time.Second:
		t.Error("db goes before the host is near")
	}
}

// TestLaw05MainsThatComeAndGoAsTheMasterEnds: who hears that power is back stays up, and
// the seal must know before him, at whatever moment the master ends.
func TestLaw05MainsThatComeAndGoAsTheMasterEnds(t *testing.T) {
	_, steps := endPoints(t)
	accepted := time.Duration(0)
	for at, names := range steps {
		if strings.Contains(names, "host accepted") {
			accepted = max(accepted, at)
		}
	}
	f := endFaults()[1]
	for ms := -1500; ms < 1500; ms += 100 {
		t.Run(fmt.Sprint(ms), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { race(t, f, accepted+time.Duration(ms)*time.Millisecond) })
		})
	}
}
