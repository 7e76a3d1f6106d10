package memrack_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/test/memrack"
)

// TestMetricsOfARack scrapes a rack through an outage.
func TestMetricsOfARack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "[metrics]\nlisten = \"master:8495\"\n")
		defer r.Stop()
		r.Join("web1", "")
		r.Advance(settle)
		get := scraper(t, r)
		expect := func(when string, want ...string) {
			t.Helper()
			_, text := get("/metrics")
			for _, line := range want {
				if !strings.Contains(text, "\n"+line+"\n") {
					t.Errorf("%s: the line %q is not in\n%s", when, line, text)
				}
			}
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, text := get(path); code != 200 || text != "ok\n" {
				t.Errorf("%s: %d %q", path, code, text)
			}
		}
		expect("all is well", `lastwatt_ready 1`, `lastwatt_node_link_losses_total{node="web1"} 0`, `lastwatt_ups_on_battery{ups="main"} 0`, `lastwatt_node_phase{node="web1",phase="IDLE"} 1`)
		r.Sim(fail)
		r.Advance(10 * time.Second)
		expect("on battery", `lastwatt_ups_state{state="FAIL",ups="main"} 1`, `lastwatt_ups_outage_age_seconds{ups="main"} 10`,
			`lastwatt_node_phase{node="web1",phase="GRACE"} 1`, `lastwatt_node_deadline_seconds{node="web1"} 290`)
		r.Net.Cut("web1")
		r.Advance(10 * time.Second)
		expect("a node is lost", `lastwatt_node_link{link="lost",node="web1"} 1`, `lastwatt_node_link_losses_total{node="web1"} 1`)
		r.Net.Heal("web1")
		r.Sim(ok)
		r.Advance(10 * time.Second)
		expect("power is back", `lastwatt_ups_state_changes_total{ups="main"} 3`, `lastwatt_node_link{link="up",node="web1"} 1`, `lastwatt_ups_outage_age_seconds{ups="main"} 0`)
	})
}

// TestLaw10MetricsThatCannotListen: somebody else has the address. The rack doesn't
// care and says so, and the figures come once the address is free.
func TestLaw10MetricsThatCannotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "[metrics]\nlisten = \"master:8495\"\n")
		defer r.Stop()
		web := r.Join("web1", "")
		r.StopMaster()
		other, err := r.Net.Listen("tcp", "master:8495")
		if err != nil {
			t.Fatal(err)
		}
		r.StartMaster()
		r.Advance(time.Minute)
		said := func() (texts []string) {
			for _, p := range r.Status().GetProblems() {
				if p.GetName() == "metrics" {
					texts = append(texts, p.GetText())
				}
			}
			return texts
		}
		if got := said(); len(got) != 1 || !strings.HasSuffix(got[0], "set listen in [metrics] of master.toml") {
			t.Errorf("problems %q, want one that says what to do", got)
		}
		r.Sim(fail)
		r.Advance(10 * time.Minute)
		if offs := web.Offs(); len(offs) != 1 {
			t.Errorf("power-off asked at %v, want once", offs)
		}
		_ = other.Close()
		r.Advance(time.Minute)
		if got := said(); len(got) != 0 {
			t.Errorf("problems %q although the address is free", got)
		}
		if code, _ := scraper(t, r)("/metrics"); code != http.StatusOK {
			t.Errorf("the figures: %d", code)
		}
	})
}

// scraper returns what asks the master by HTTP.
func scraper(t *testing.T, r *memrack.Rack) func(path string) (code int, text string) {
	transport := &http.Transport{DialContext: r.Net.Dialer("prometheus"), DisableCompression: true, DisableKeepAlives: true}
	return func(path string) (int, string) {
		t.Helper()
		resp, err := (&http.Client{Transport: transport}).Get("http://master:8495" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
}
