//go:build linux && (amd64 || arm64)

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchSettle is how long a FAIL must last before it is believed; it is taken off
// what is measured.
const benchSettle = 100 * time.Millisecond

// BenchmarkLineToRack measures from the change of the line to the moment at which
// the last agent, each a process of its own, has decided to go, and to the moment at
// which its (pretended) power-off was accepted, less the settle time. All of them
// share this machine's processors, which real ones don't: what one does after its
// decision delays the others' decisions, by the cpu-ms that are reported too.
func BenchmarkLineToRack(b *testing.B) {
	if memory := "/dev/shm"; exists(memory) { // nor do they share a disk
		b.Setenv("TMPDIR", memory)
	}
	for _, agents := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) { lineToRack(b, agents) })
	}
}

func lineToRack(b *testing.B, agents int) {
	r := newRack(b, rackOptions{settle: fmt.Sprintf("fail = %q\nok = \"100ms\"", benchSettle)})
	r.startMaster()
	var logs []*follower
	for i := range agents {
		a := r.join(fmt.Sprintf("node%02d", i), agentOptions{grace: "0s", pretend: true})
		logs = append(logs, &follower{path: a.log})
	}
	r.await("all attached", func(s status) bool {
		up := 0
		for _, n := range s.Nodes {
			if n.Link == "up" && n.Phase == "IDLE" {
				up++
			}
		}
		return up == agents
	})
	all := func() (used time.Duration) {
		for _, a := range r.agents {
			used += cpu(b, a.process)
		}
		return used
	}
	var decided, acted, each []time.Duration // of the last agent, per outage; of every agent
	var masterCPU, agentCPU time.Duration
	for b.Loop() {
		for _, l := range logs {
			l.lines(b) // what was before
		}
		masterWas, agentsWas := cpu(b, r.master), all()
		began := time.Now()
		r.ups.Mains(false)
		<-time.After(3 * benchSettle) // looking for it would be in its way
		masterCPU, agentCPU = masterCPU+cpu(b, r.master)-masterWas, agentCPU+all()-agentsWas
		var lastDecided, lastActed time.Duration
		for _, l := range logs {
			d := l.await(b, began, func(e entry) bool { return e.Msg == "phase" && e.To == "COMMITTED" }) - benchSettle
			a := l.await(b, began, func(e entry) bool { return e.Msg == "power-off accepted" }) - benchSettle
			each = append(each, d)
			lastDecided, lastActed = max(lastDecided, d), max(lastActed, a)
		}
		decided, acted = append(decided, lastDecided), append(acted, lastActed)
		r.ups.Mains(true)
		for _, l := range logs {
			l.await(b, began, func(e entry) bool { return e.Msg == "phase" && e.To == "IDLE" })
		}
	}
	report(b, "each decided", "each", each)
	report(b, "last decided", "last", decided)
	report(b, "last acted", "acted", acted)
	outages := float64(len(decided))
	b.ReportMetric(masterCPU.Seconds()*1e3/outages, "master-cpu-ms")
	b.ReportMetric(agentCPU.Seconds()*1e3/outages/float64(agents), "agent-cpu-ms")
}

// report prints a histogram and reports the percentiles that matter.
func report(b *testing.B, title, unit string, all []time.Duration) {
	slices.Sort(all)
	at := func(percent int) float64 {
		return float64(all[min(len(all)-1, len(all)*percent/100)]) / float64(time.Millisecond)
	}
	for _, p := range []int{50, 90, 99} {
		b.ReportMetric(at(p), fmt.Sprintf("%s-p%d-ms", unit, p))
	}
	fmt.Printf("%s: %s, less the settle time, of %d:\n", b.Name(), title, len(all)) // a log would be cut short
	i := 0
	for _, limit := range []int64{1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100, 1000} { // ms
		n := 0
		for ; i < len(all) && all[i].Milliseconds() < limit; i++ {
			n++
		}
		if n > 0 {
			fmt.Printf("  < %4d ms %6d %s\n", limit, n, strings.Repeat("#", (n*60+len(all)-1)/len(all)))
		}
	}
}

// entry is one line of a daemon's log.
type entry struct {
	Time    time.Time
	Msg, To string
}

// follower reads a log as it grows.
type follower struct {
	path string
	at   int64
	kept []entry // read and not yet asked for
}

// lines reads what is new.
func (f *follower) lines(b *testing.B) {
	log, err := os.Open(f.path)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Seek(f.at, 0); err != nil {
		b.Fatal(err)
	}
	f.kept = nil
	for in := bufio.NewReader(log); ; {
		text, err := in.ReadString('\n')
		if err != nil {
			return // a line that isn't whole yet is read the next time
		}
		f.at += int64(len(text))
		var e entry
		if json.Unmarshal([]byte(text), &e) == nil {
			f.kept = append(f.kept, e)
		}
	}
}

// await waits for an entry and returns how long after began it was written.
func (f *follower) await(b *testing.B, began time.Time, want func(entry) bool) (after time.Duration) {
	b.Helper()
	found := func() bool {
		i := slices.IndexFunc(f.kept, want)
		if i >= 0 {
			f.kept, after = f.kept[i+1:], f.kept[i].Time.Sub(began)
		}
		return i >= 0
	}
	until(b, "a line in "+f.path, func() bool {
		if found() {
			return true
		}
		f.lines(b)
		return found()
	}, func() string { return fmt.Sprint(f.kept) })
	return after
}

// BenchmarkIdle measures what a master and an agent cost while nothing happens.
func BenchmarkIdle(b *testing.B) {
	r := newRack(b, rackOptions{})
	r.withHost()
	r.startMaster()
	a := r.join("node", agentOptions{})
	r.await("attached", func(s status) bool { return s.node("node").Link == "up" })
	const span = 20 * time.Second
	<-time.After(2 * time.Second) // let the start settle
	var master, agent, total time.Duration
	for b.Loop() {
		m, n, began := cpu(b, r.master), cpu(b, a.process), time.Now()
		<-time.After(span)
		master, agent, total = master+cpu(b, r.master)-m, agent+cpu(b, a.process)-n, total+time.Since(began)
	}
	b.ReportMetric(100*master.Seconds()/total.Seconds(), "master-cpu-%")
	b.ReportMetric(100*agent.Seconds()/total.Seconds(), "agent-cpu-%")
	b.ReportMetric(rss(b, r.master), "master-rss-MiB")
	b.ReportMetric(rss(b, a.process), "agent-rss-MiB")
}

// cpu returns the processor time that a process has used: the first field of each
// thread's schedstat, in nanoseconds.
func cpu(b *testing.B, p *process) (used time.Duration) {
	b.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		b.Fatalf("cannot read the processor time of %s: %v", p.name, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that ended
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		used += time.Duration(n)
	}
	return used
}

// rss returns the resident memory of a process in MiB.
func rss(b *testing.B, p *process) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	b.Fatalf("no VmRSS of %s", p.name)
	return 0
}
