//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/test/vtty"
)

// states returns the states that the UPS was believed to be in, from its first.
func (r *rack) states() string {
	r.t.Helper()
	var out []string
	for line := range strings.Lines(r.upsctl("--json", "events", "--last", "1000")) {
		var e struct{ On, Kind, Text string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.t.Fatalf("events --json: %v: %s", err, line)
		}
		if e.On != "ups/main" || e.Kind != "state" {
			continue
		}
		for _, state := range []string{"BATLOW", "FAIL", "OK"} { // the first word that it is
			if strings.HasPrefix(e.Text, state) {
				out = append(out, state)
			}
		}
	}
	return strings.Join(out, " ")
}

// blip makes the mains fail and return within the settle time, and no sooner than
// the master has looked.
func (r *rack) blip() {
	r.t.Helper()
	began := r.tty.Now()
	r.ups.Mains(false)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	looks := func(e vtty.Event) bool { return e.At > began && e.Call == "TIOCMGET" }
	if _, err := r.tty.WaitEvent(ctx, looks); err != nil {
		r.t.Fatalf("the master doesn't look: %v", err)
	}
	r.ups.Mains(true)
	if d := r.tty.Now() - began; d > time.Second {
		r.t.Logf("the blip took %v: this machine is too busy to show anything by it", d)
	}
}

// TestSeedCables plays the main job on each cable of the seeds: a blip, an outage
// that ends in time, one that doesn't.
func TestSeedCables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"liebert-powersure", "powerd", "advice-1200a", "tripplite-bc-lan", "apc-back-ups", "apc-back-ups-txd", "apc-smart-ups-nt"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The blip has to be over before it is believed, on a busy machine too.
			r := newRack(t, rackOptions{cable: name, settle: "fail = \"1s\"\nbatlow = \"200ms\"\nok = \"300ms\"\nbatlow_jump = \"2s\""})
			r.startMaster()
			low := r.cable.HasLow()
			patient, brave := r.join("patient", agentOptions{grace: "10m"}), r.join("brave", agentOptions{grace: "6s"})
			r.await("both attached", func(s status) bool {
				return s.node("patient").Link == "up" && s.node("brave").Link == "up" && s.ups().State == "OK"
			})

			r.blip()
			if got := r.states(); got != "OK" {
				t.Errorf("after a blip shorter than settle the UPS was believed to be %q", got)
			}
			r.ups.Mains(false)
			s := r.await("GRACE at FAIL", func(s status) bool {
				return s.ups().State == "FAIL" && s.node("patient").Phase == "GRACE" && s.node("brave").Phase == "GRACE"
			})
			if s.code != 3 || s.node("patient").Deadline == nil {
				t.Errorf("exit status %d, want 3, and a countdown:\n%s", s.code, s.text)
			}
			r.ups.Mains(true)
			r.await("IDLE at OK", func(s status) bool {
				return s.ups().State == "OK" && s.node("patient").Phase == "IDLE" && s.node("brave").Phase == "IDLE"
			})
			if patient.went() || brave.went() {
				t.Fatal("an agent powered off although the mains came back in time")
			}

			r.ups.Mains(false)
			r.await("GRACE again", in("patient", "GRACE"))
			brave.awaitGone() // its grace is over
			r.await("the brave one DONE", in("brave", "DONE"))
			if patient.went() {
				t.Fatal("the patient agent powered off before its grace was over")
			}
			want := "OK FAIL OK FAIL"
			if low {
				r.ups.Low(true)
				patient.awaitGone()
				r.await("BATLOW", func(s status) bool { return s.ups().State == "BATLOW" && s.node("patient").Phase == "DONE" })
				want += " BATLOW"
			}
			if got := r.states(); got != want {
				t.Errorf("the UPS was believed to be %q, want %q: a blip is no outage", got, want)
			}
			if !r.ups.LoadOn() {
				t.Error("the load was cut")
			}
		})
	}
}
