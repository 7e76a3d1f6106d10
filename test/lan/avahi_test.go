package lan

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/discovery"
)

// busConfig is a system bus that allows everything to whoever can reach it.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`

const avahiConfig = "[server]\nhost-name=%s\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=yes\n[publish]\npublish-workstation=no\npublish-hinfo=no\n"

// avahi is avahi-daemon on a node, with a bus of its own.
type avahi struct {
	t   *testing.T
	n   *node
	env []string
}

// startAvahi starts it, and publishes a service of our kind by it: what it returns is
// up and has announced.
func startAvahi(t *testing.T, n *node, name string) *avahi {
	t.Helper()
	dir, err := os.MkdirTemp("", "lan") // short: a unix socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write := func(file, text string) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	socket := filepath.Join(dir, "bus")
	bus := write("bus.conf", fmt.Sprintf(busConfig, socket))
	conf := write("avahi.conf", fmt.Sprintf(avahiConfig, name))
	a := &avahi{t: t, n: n, env: append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+socket)}
	a.background("dbus-daemon", "--config-file="+bus, "--nofork", "--nopidfile", "--print-address").until("unix:path=")
	// /run for itself: its socket and its pid file have fixed names.
	a.background("unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --no-proc-title -f "+conf).until("Server startup complete")
	a.background("avahi-publish", "-f", "-s", name, discovery.KindAgent, "4242", "id=avahi").until("Established under name")
	return a
}

// output is what a program has said so far.
type output struct {
	t     *testing.T
	name  string
	lines chan string
}

// command is a program in the node's network.
func (a *avahi) command(ctx context.Context, args ...string) *exec.Cmd {
	pid := a.n.cmd.Process.Pid
	if err := notHome(pid); err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", fmt.Sprint(pid), "-n"}, args...)...)
	cmd.Env = a.env
	return cmd
}

// background starts a program that runs as long as the test.
func (a *avahi) background(args ...string) *output {
	a.t.Helper()
	// Not the test's context: its end kills before the cleanups run.
	cmd := a.command(context.Background(), args...)
	r, w, err := os.Pipe()
	if err != nil {
		a.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	w.Close()
	o := &output{t: a.t, name: args[0], lines: make(chan string, 1000)}
	go func() {
		defer close(o.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			o.lines <- s.Text()
		}
	}()
	a.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.Close()
	})
	return o
}

// until waits for a line that contains text.
func (o *output) until(text string) {
	o.t.Helper()
	timeout := time.After(patience)
	var seen []string
	for {
		select {
		case line, ok := <-o.lines:
			if !ok {
				o.t.Fatalf("%s ended: %q", o.name, seen)
			}
			if seen = append(seen, line); strings.Contains(line, text) {
				return
			}
		case <-timeout:
			o.t.Fatalf("%s has not said %q in %v, but %q", o.name, text, patience, seen)
		}
	}
}

// sees waits until avahi-browse lists exactly these names on both families, all of
// them resolved, and returns how long that took.
func (a *avahi) sees(names ...string) time.Duration {
	a.t.Helper()
	began := time.Now()
	var want, got []string
	for _, family := range []string{"IPv4", "IPv6"} {
		for _, name := range names {
			want = append(want, family+" "+name)
		}
	}
	slices.Sort(want)
	for time.Since(began) < patience {
		out, err := a.command(a.t.Context(), "avahi-browse", "--resolve", "--parsable", "--terminate", discovery.KindAgent).CombinedOutput()
		if err != nil {
			a.t.Fatalf("avahi-browse: %v\n%s", err, out)
		}
		got = nil
		for line := range strings.Lines(string(out)) {
			// =;eth0;IPv4;web1;_upsagent._tcp;local;host.local;10.1.0.2;8494;"id=…"
			if f := strings.Split(line, ";"); f[0] == "=" && len(f) > 8 && f[7] != "" {
				got = append(got, f[2]+" "+f[3])
			}
		}
		slices.Sort(got)
		if slices.Equal(want, got) {
			return time.Since(began)
		}
	}
	a.t.Fatalf("avahi-browse sees %q, want %q", got, want)
	return 0
}

func TestBesideAvahi(t *testing.T) {
	inside(t)
	if os.Getenv(userVariable) != "" {
		t.Skip("avahi-daemon gives its folder to a user of its own, and a user namespace has but one: run as root")
	}
	for _, tool := range []string{"dbus-daemon", "avahi-daemon", "avahi-browse", "avahi-publish"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("avahi is not installed (avahi-daemon, avahi-utils, dbus):", err)
		}
	}
	for _, order := range []string{"avahi first", "agent first", "avahi on another machine", "avahi on both"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			var ours []*node
			names := []string{"web0", "web1", "web2"}
			for range names {
				ours = append(ours, l.host())
			}
			host, other := ours[0], l.host()
			simple := l.host()
			simple.tell(command{Unicast: "simple"})
			simple.await("answers by unicast", func(e event) bool { return e.Packets > 0 })
			speak := func() {
				for i, n := range ours {
					n.tell(agent(names[i]))
				}
				for _, n := range []*node{host, other} {
					n.tell(command{Browse: []string{discovery.KindAgent}})
				}
			}
			var daemons []*avahi
			theirs := []string{"avahi1"}
			switch order {
			case "avahi first":
				daemons = append(daemons, startAvahi(t, host, "avahi1"))
				speak()
			case "agent first":
				speak()
				host.await("before avahi", finds(names...))
				daemons = append(daemons, startAvahi(t, host, "avahi1"))
			case "avahi on another machine":
				speak()
				daemons = append(daemons, startAvahi(t, other, "avahi1"))
			case "avahi on both":
				daemons = append(daemons, startAvahi(t, host, "avahi1"))
				speak()
				daemons = append(daemons, startAvahi(t, other, "avahi2"))
				theirs = append(theirs, "avahi2")
			}
			for _, n := range []*node{host, other} {
				n.await("all, avahi's too", finds(slices.Concat(theirs, names)...))
			}
			// By multicast we don't hear who answers by unicast only; avahi must.
			theirs = append(theirs, "simple")
			for _, a := range daemons {
				took := a.sees(slices.Concat(theirs, names)...)
				t.Logf("avahi-browse lists all %d on both families after %v", len(theirs)+len(names), took.Round(time.Millisecond))
			}
			for _, n := range ours {
				n.tell(command{Stop: true})
				n.await("stopped", func(e event) bool { return e.Stopped })
			}
			for _, a := range daemons {
				t.Logf("our goodbyes are heard after %v", a.sees(theirs...).Round(time.Millisecond))
			}
		})
	}
}
