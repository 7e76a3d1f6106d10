//go:build linux && (amd64 || arm64)

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// webhook is somebody who is told, on a loopback host of his own.
type webhook struct {
	url string

	mu   sync.Mutex
	seen []string
}

func newWebhook(t testing.TB) *webhook {
	t.Helper()
	w := &webhook{}
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + l.Addr().String() + "/secret-path"
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Event, On, Problem, Text string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, strings.TrimSpace(m.Event+" "+m.On+" "+m.Problem))
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return w
}

func (w *webhook) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *webhook) await(t testing.TB, what string) {
	t.Helper()
	until(t, "the alarm "+what, func() bool { return slices.Contains(w.heard(), what) }, func() string { return strings.Join(w.heard(), "\n") })
}

// finding is a problem or weakness as `upsctl doctor --json` tells it.
type finding struct{ On, Name string }

// doctor asks for every finding.
func (r *rack) doctor() []finding {
	r.t.Helper()
	text, err := exec.Command(program("upsctl"), "--socket", r.socket(), "--json", "doctor").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		r.t.Fatal(err)
	}
	var out struct{ Problems []finding }
	if err := json.Unmarshal(text, &out); err != nil {
		r.t.Fatal(err)
	}
	return out.Problems
}

// An outage on a real tty is told to whoever wants to know, leaves a story, and
// proves what it proves; an adapter that is pulled out is told as well.
func TestLaw02AnOutageAndABlindUPSAreTold(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	hook := newWebhook(t)
	figures := freeAddress(t)
	r.configure("[[alarm]]\nto = \"" + hook.url + "\"\n[metrics]\nlisten = \"" + figures + "\"\n")
	r.startMaster()
	r.join("node", agentOptions{grace: "1h"})
	r.await("OK", reads("OK"))

	before := r.doctor()
	for _, f := range []finding{{"node/node", "unproved"}, {"ups/main", "never-low"}} {
		if !slices.Contains(before, f) {
			t.Errorf("before any outage %v is no finding of the doctor's: %v", f, before)
		}
	}

	r.ups.Mains(false)
	r.await("GRACE", in("node", "GRACE"))
	hook.await(t, "fail ups/main")
	r.ups.Mains(true)
	r.await("IDLE", in("node", "IDLE"))
	hook.await(t, "ok ups/main")
	hook.await(t, "report master/rack1")
	if story := r.upsctl("history", "last"); !strings.Contains(story, "nobody had to go down") {
		t.Errorf("the story:\n%s", story)
	}
	until(t, "the outage to prove the node", func() bool { return !slices.Contains(r.doctor(), finding{"node/node", "unproved"}) },
		func() string { return fmt.Sprint(r.doctor()) })

	r.tty.Unplug()
	hook.await(t, "problem ups/main blind")
	if code, body := get(t, "http://"+figures+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "main") {
		t.Errorf("readyz of a blind master: %d %s", code, body)
	}
	if _, body := get(t, "http://"+figures+"/metrics"); !strings.Contains(body, `lastwatt_ups_state{state="UNKNOWN",ups="main"} 1`) {
		t.Errorf("the figures of a blind master:\n%s", body)
	}
	r.tty.Replug()
	hook.await(t, "clear ups/main blind")
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
