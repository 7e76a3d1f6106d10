//go:build linux && (amd64 || arm64)

package rack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// status is what `upsctl status --json` promises, as far as it is asked for here.
type status struct {
	Masters []struct {
		UPS []upsStatus
	}
	Nodes    []nodeStatus
	Problems []struct{ On, Name, Text string }
	text     string
}

type upsStatus struct {
	Name, State, Outage string
	Age                 float64 `json:"outage_age_seconds"`
	Debt                float64 `json:"debt_seconds"`
}

type nodeStatus struct {
	Name, Phase, State, Link, Off string
	Deadline                      *float64 `json:"deadline_seconds"`
}

// ups returns the master's UPS; one without a name: nobody said.
func (s status) ups() upsStatus {
	for _, m := range s.Masters {
		for _, u := range m.UPS {
			return u
		}
	}
	return upsStatus{}
}

func (s status) node(name string) nodeStatus {
	i := slices.IndexFunc(s.Nodes, func(n nodeStatus) bool { return n.Name == name })
	if i < 0 {
		return nodeStatus{}
	}
	return s.Nodes[i]
}

// problem reports whether there is a problem of that name.
func (s status) problem(name string) bool {
	return slices.ContainsFunc(s.Problems, func(p struct{ On, Name, Text string }) bool { return p.Name == name })
}

// attached says that all is well: every node of a UPS is linked to its master and idle.
func (r *rack) attached(by *supply) func(status) bool {
	return func(s status) bool {
		for _, m := range r.nodes {
			if n := s.node(m.short()); slices.Contains(m.fed, by) && (n.Link != "up" || n.Phase != "IDLE" || n.State != "OK") {
				return false
			}
		}
		return s.ups().State == "OK"
	}
}

// fine waits until all is well everywhere.
func (r *rack) fine() {
	r.t.Helper()
	for _, s := range r.supplies() {
		s.await("everybody to be fine", r.attached(s))
	}
}

// masterSocket is where a master is asked on its machine.
const masterSocket = "/run/lastwatt/master/master.sock"

// command is upsctl, asking the master.
func (s *supply) command(args ...string) *exec.Cmd {
	return exec.CommandContext(s.t.Context(), layer("master")+"/usr/bin/upsctl", append([]string{"--socket", s.host.file(masterSocket)}, args...)...)
}

func (s *supply) upsctl(args ...string) string {
	s.t.Helper()
	var out, complaint bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("upsctl %s: %v\n%s%s", strings.Join(args, " "), err, &out, &complaint)
	}
	return out.String()
}

// await waits until the master's status is as wanted.
func (s *supply) await(what string, want func(status) bool) status {
	s.t.Helper()
	var is status
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if is = s.status(); want(is) {
			return is
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain for %s; instead: %s", what, is.text)
		case <-tick.C:
		}
	}
}

// status asks the master. One that doesn't answer is a status with nothing in it.
func (s *supply) status() status {
	s.t.Helper()
	out, err := s.command("--json", "status").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 1) {
		return status{text: err.Error()}
	}
	is := status{text: string(out)}
	if err := json.Unmarshal(out, &is); err != nil {
		s.t.Fatalf("upsctl status --json: %v\n%s", err, out)
	}
	return is
}
