package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// machine makes folders in which the kernel would tell of one port, held by a process
// of that name, "" by nobody.
func machine(t *testing.T, holder string) (r line.Roots, port string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r = line.Roots{Sys: dir + "/sys", Dev: dir + "/dev", Proc: dir + "/proc"}
	dev := r.Sys + "/devices/pnp0/00:05"
	port = r.Dev + "/ttyS0"
	for _, d := range []string{r.Sys + "/class/tty", dev + "/tty/ttyS0", r.Dev, r.Proc + "/77/fd"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{
		r.Sys + "/class/tty/ttyS0": dev + "/tty/ttyS0",
		dev + "/tty/ttyS0/device":  dev,
		dev + "/driver":            "/drivers/serial",
		port:                       "/dev/zero", // a character device, which nobody opens here
		r.Proc + "/77/fd/4":        port,
	}
	if holder == "" {
		delete(links, r.Proc+"/77/fd/4")
	}
	for from, to := range links {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(r.Proc+"/77/comm", []byte(holder+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return r, port
}

func TestProbeLists(t *testing.T) {
	r, port := machine(t, "")
	set := func(c *cli) { c.roots = r }
	want := result{exitWell, port + "; driver serial\n", ""}
	if diff := cmp.Diff(want, run(t, set, "probe")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := run(t, set, "--json", "probe")
	if got.Code != exitWell || !strings.Contains(got.Out, fmt.Sprintf(`"path": %q`, port)) || !strings.Contains(got.Out, `"holders": []`) {
		t.Errorf("%+v", got)
	}
	if got := run(t, func(c *cli) { c.roots.Sys = r.Dev }, "probe"); got.Code != exitCannotAsk || !strings.Contains(got.Err, "cannot list serial ports") {
		t.Errorf("without sysfs: %+v", got)
	}
}

// TestLaw04ProbeRefuses: nothing is opened that somebody has, or that nobody agreed to.
func TestLaw04ProbeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, holder string
		args         []string
		code         int
		out, err     string
	}{
		{"held by getty", "agetty", []string{"--yes-open"}, exitCannotAsk, "", "held by agetty (pid 77); systemctl disable --now serial-getty@"},
		{"held by a master", "upsmaster", []string{"--yes-open"}, exitCannotAsk, "rack1/main OK, cable liebert-powersure, high: DTR DCD\n", "the running master watches this port"},
		{"nobody agreed", "", nil, exitUsage, "", "write --yes-open if it may, or name the cable with --cable"},
		{"a cable whose kill is both high", "", []string{"--cable", "nut-2"}, exitUsage, "", "Both high is what switches the UPS off on nut-2."},
		{"unknown cable", "", []string{"--cable", "nut-99"}, exitUsage, "", `no cable is called "nut-99"`},
		{"two ways to drive", "", []string{"--cable", "nut-7", "--drive", "DTR"}, exitUsage, "", "--cable and --drive exclude each other"},
		{"no output", "", []string{"--drive", "CTS"}, exitUsage, "", `--drive "CTS" is no output`},
		{"for less than nothing", "", []string{"--for", "-1s"}, exitUsage, "", "--for -1s is not more than zero"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, port := machine(t, tt.holder)
			socket := (&fake{status: answer(wellRack())}).serve(t)
			args := append([]string{"--socket", socket, "probe", port}, tt.args...)
			got := run(t, func(c *cli) { c.roots = r }, args...)
			if got.Code != tt.code || got.Out != tt.out || !strings.Contains(strings.Join(strings.Fields(got.Err), " "), tt.err) {
				t.Errorf("%+v\nwant %d, %q, %q", got, tt.code, tt.out, tt.err)
			}
		})
	}
}

// TestLineView is what is said of each change.
func TestLineView(t *testing.T) {
	began := time.Now()
	at := func(d time.Duration, was, now line.Lines) line.Change {
		return line.Change{At: began.Add(d), Was: was, Lines: now}
	}
	changes := []line.Change{
		{Err: errors.New("not yet")},
		at(0, line.DTR|line.DCD, line.DTR|line.DCD),
		at(4200*time.Millisecond, line.DTR|line.DCD, line.DTR|line.DCD|line.CTS),
		at(4240*time.Millisecond, line.DTR|line.DCD|line.CTS, line.DTR|line.CTS),
		{At: began.Add(5 * time.Second), Was: line.DTR | line.CTS, Lines: line.DTR | line.CTS, Pulses: 2},
	}
	for _, tt := range []struct{ name, cable, want string }{
		{"unknown cable", "", `    0.000  not yet
    0.000  outputs DTR high, RTS low; CTS low, DSR low, DCD high, RI low
    4.200  CTS rose, 4.2s later
           fits best if it was on mains before: liebert-powersure nut-11 genpower-oneups
    4.240  DCD fell, 40ms later
           fits best if it was on mains before: liebert-powersure nut-11 genpower-oneups
    5.000  2 changes, over before they could be read, 760ms later
`},
		{"a known one", "liebert-powersure", `    0.000  not yet
    0.000  outputs DTR high, RTS low; CTS low, DSR low, DCD high, RI low
           liebert-powersure: on mains
    4.200  CTS rose, 4.2s later
           liebert-powersure: on battery
    4.240  DCD fell, 40ms later
           liebert-powersure: on battery, battery low
    5.000  2 changes, over before they could be read, 760ms later
           liebert-powersure: on battery, battery low
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			v := &lineView{c: &cli{out: &out}}
			if tt.cable != "" {
				v.cable, _ = line.Lookup(tt.cable)
			}
			for _, c := range changes {
				v.show(c)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var out strings.Builder
	v := &lineView{c: &cli{out: &out, json: true}}
	for _, c := range changes[1:3] {
		v.show(c)
	}
	want := `{"at_seconds":0,"lines":["DTR","DCD"],"rose":[],"fell":[],"pulses":0}
{"at_seconds":4.2,"lines":["DTR","CTS","DCD"],"rose":["CTS"],"fell":[],"pulses":0,"fits":["liebert-powersure","nut-11","genpower-oneups"]}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("json (-want +got):\n%s", diff)
	}
}
