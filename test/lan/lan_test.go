package lan

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/discovery"
)

func TestAgentsAreFoundAmongStrangers(t *testing.T) {
	for _, count := range []int{3, 50} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			l := newLAN(t)
			l.crowd()
			looker := l.host()
			looker.tell(command{Browse: []string{discovery.KindAgent}})
			var names []string
			var last time.Time
			for i := range count {
				n := l.host()
				names = append(names, fmt.Sprint("agent", i))
				n.tell(agent(names[i]))
				last = time.Now()
			}
			looker.await("announced", finds(names...))
			t.Logf("%d of %d: the last was found %v after its start", count, count, time.Since(last).Round(time.Millisecond))
			// Who comes later asks.
			late := l.host()
			late.tell(command{Sniff: [][]byte{}})
			late.await("the strangers are there", func(e event) bool { return e.Packets > crowd })
			late.tell(command{Browse: []string{discovery.KindAgent}})
			took := late.await("asked for", finds(names...))
			t.Logf("%d of %d found by asking in %v", count, count, took.Round(time.Millisecond))
			if took > 5*time.Second {
				t.Errorf("%d agents were found after %v", count, took)
			}
			if out, err := exec.Command("nsenter", "-t", fmt.Sprint(late.cmd.Process.Pid), "-n", "ip", "route", "show", "default").CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("there is a default route: %s, %v", out, err)
			}
		})
	}
}

func TestInterfaceDownAndUp(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	looker, n := l.host(), l.host()
	n.tell(agent("web1"))
	looker.tell(command{Browse: []string{discovery.KindAgent}})
	looker.await("found", finds("web1"))
	pid := looker.cmd.Process.Pid
	ip(t, pid, "link set eth0 down")
	soon(t, looker.await("own interface down", finds()))
	for range 2 { // by the kernel's report, not by the look every few seconds
		ip(t, pid, "link set eth0 up")
		looker.await("own interface up", finds("web1"))
		ip(t, pid, "link set eth0 down")
		soon(t, looker.await("own interface down again", finds()))
	}
	ip(t, pid, "link set eth0 up") // IPv4 addresses stay
	looker.await("own interface up", finds("web1"))
	ip(t, pid, "link del eth0")
	soon(t, looker.await("own interface gone", finds()))
	l.plug(looker, "eth0")
	looker.await("another interface", finds("web1"))
	// The other side: its interface goes, and comes back as another.
	ip(t, n.cmd.Process.Pid, "link del eth0")
	moved := l.plug(n, "eth0")
	looker.await("their interface came back", at("web1", moved))
}

func soon(t *testing.T, took time.Duration) {
	t.Helper()
	if took > 1500*time.Millisecond {
		t.Errorf("noticed after %v", took)
	}
}

func TestMasterMoves(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	looker, n := l.host(), l.host()
	rack := command{Announce: &discovery.Service{Kind: discovery.KindMaster, Name: "rack1", Port: 8493}}
	n.tell(rack)
	looker.tell(command{Browse: []string{discovery.KindMaster}})
	looker.await("found", finds("rack1"))
	pid := n.cmd.Process.Pid
	ip(t, pid, "addr flush dev eth0 scope global", "addr add 10.1.9.9/16 dev eth0")
	t.Logf("found at another address after %v", looker.await("another address", at("rack1", "10.1.9.9")).Round(time.Millisecond))
	// It dies without a word, and is put on another machine.
	n.kill()
	other := startNode(t, roleNode)
	addr := l.plug(other, "eth0")
	other.await("start", func(e event) bool { return e.Ready })
	other.tell(rack)
	t.Logf("found on another machine after %v", looker.await("another machine", at("rack1", addr)).Round(time.Millisecond))
	other.tell(command{Stop: true})
	other.await("stopped", func(e event) bool { return e.Stopped })
	if took := looker.await("goodbye", finds()); took > 3*time.Second {
		t.Errorf("forgotten %v after its goodbye, want 1 s", took)
	}
}

func TestSameNameTwice(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	looker, one, two := l.host(), l.host(), l.host()
	looker.tell(command{Browse: []string{discovery.KindAgent}})
	one.tell(agent("web1"))
	two.tell(agent("web1"))
	looker.await("both, under two names", finds("web1", "web1-2"))
}

func TestIPv6Only(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	none := []string{}
	var all []*node
	for range 4 {
		n := startNode(t, roleNode)
		l.plug(n, "eth0", none...)
		n.await("start", func(e event) bool { return e.Ready })
		all = append(all, n)
	}
	looker := all[3]
	looker.tell(command{Browse: []string{discovery.KindAgent}})
	for i, n := range all[:3] {
		n.tell(agent(fmt.Sprint("web", i)))
	}
	t.Logf("3 found in %v, the check of their addresses included", looker.await("by IPv6", finds("web0", "web1", "web2")).Round(time.Millisecond))
	for _, i := range looker.found() {
		for _, a := range i.Addresses {
			if !a.Addr().Is6() || a.Addr().Zone() != "eth0" {
				t.Errorf("%s is at %v", i.Name, a)
			}
		}
	}
}

func TestTwoLANs(t *testing.T) {
	t.Parallel()
	left, right := newLAN(t), newLAN(t)
	right.subnet = 2
	both := left.host()
	secret := right.plug(both, "eth1")
	shown := "10.1.0.2"
	both.tell(agent("both"))
	l, r := left.host(), right.host()
	spies := map[*node]string{l: secret, r: shown}
	for n, address := range spies {
		a := netip.MustParseAddr(address).As4()
		n.tell(command{Sniff: [][]byte{a[:]}})
		n.tell(command{Browse: []string{discovery.KindAgent}})
	}
	l.await("left", at("both", shown))
	r.await("right", at("both", secret))
	both.tell(command{Browse: []string{discovery.KindAgent}})
	l.tell(agent("left"))
	r.tell(agent("right"))
	both.await("both sides", finds("both", "left", "right"))
	for _, i := range both.found() {
		if want := map[string]string{"left": "eth0", "right": "eth1"}[i.Name]; want != "" && want != i.Interface {
			t.Errorf("%s is found on %s", i.Name, i.Interface)
		}
	}
	both.tell(command{Stop: true})
	both.await("stopped", func(e event) bool { return e.Stopped })
	for n, address := range spies {
		n.await("goodbye", func(e event) bool { return !strings.Contains(fmt.Sprint(e.Found), "both") })
		n.await("spied", func(e event) bool { return e.Packets >= 10 })
		n.mu.Lock()
		if n.last.Leak != nil {
			t.Errorf("the other LAN's address %s was told here: %v", address, net.IP(n.last.Leak))
		}
		n.mu.Unlock()
	}
}

func TestEveryFifthPacketIsLost(t *testing.T) {
	t.Parallel()
	l := newHub(t, 0.2)
	looker := l.host()
	var names []string
	for i := range 10 {
		n := l.host()
		names = append(names, fmt.Sprint("web", i))
		n.tell(agent(names[i]))
	}
	looker.tell(command{Browse: []string{discovery.KindAgent}})
	t.Logf("10 of 10 found in %v, %d of %d frames lost", looker.await("in spite of losses", finds(names...)).Round(time.Millisecond), l.hub.lost.Load(), l.hub.lost.Load()+l.hub.passed.Load())
	if l.hub.lost.Load() == 0 {
		t.Error("nothing was lost")
	}
}
