package probe

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inside names the test binary that runs in a network of its own.
const inside = "LASTWATT_PROBE_INSIDE"

// TestMain has the tests run in a user and a network namespace of their own, so that
// they need no privileges and touch no network.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "in a network of its own:", err)
		os.Exit(1)
	}
}

const (
	peer4, peer6 = "10.99.0.2", "fd99::2"
	none4        = "10.99.0.3" // nobody has it
)

// peer is another machine, which is behind a bridge so that its end is not our carrier's.
type peer struct {
	t   *testing.T
	pid int
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	cmd := exec.Command("unshare", "-n", "sh", "-c", "echo there; exec cat") // as long as its input lasts
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t, cmd.Process.Pid}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		run(t, "ip link del probe0")
		run(t, "ip link del bridge0")
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it has a network of its own
		t.Fatal(line, err)
	}
	for _, c := range []string{
		"ip link set lo up", "ip link add bridge0 type bridge", "ip link set bridge0 up",
		"ip link add probe0 type veth peer name probe1", "ip link set probe1 master bridge0", "ip link set probe1 up",
		fmt.Sprintf("ip link add peer1 type veth peer name eth0 netns %d", p.pid), "ip link set peer1 master bridge0", "ip link set peer1 up",
		"ip addr add 10.99.0.1/24 dev probe0", "ip addr add fd99::1/64 dev probe0 nodad", "ip link set probe0 up",
	} {
		run(t, c)
	}
	p.run("ip link set lo up")
	p.run("ip addr add " + peer4 + "/24 dev eth0")
	p.run("ip addr add " + peer6 + "/64 dev eth0 nodad")
	p.run("ip link set eth0 up")
	return p
}

// run runs a command here.
func run(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// run runs a command on the peer.
func (p *peer) run(command string) {
	p.t.Helper()
	run(p.t, fmt.Sprintf("nsenter -t %d -n %s", p.pid, command))
}

// want probes until that is the answer: the kernel needs some seconds for some of them.
func want(t *testing.T, p *Prober, host string, want Answer) {
	t.Helper()
	var got Answer
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if got, err = p.Probe(t.Context(), host); got == want {
			return
		}
	}
	t.Errorf("%s: %s, %v; want %s", host, got, err, want)
}

// allowEchoes lets this group send echoes without privileges, which nobody may in a new
// namespace.
func allowEchoes(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 0"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARealMachine(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprintf("allowed %t", allowed), func(t *testing.T) {
			peer := newPeer(t)
			if allowed {
				allowEchoes(t)
			}
			if f, raw, err := open(netip.MustParseAddr(peer4)); err != nil || raw == allowed {
				t.Fatalf("raw %t, %v", raw, err)
			} else {
				_ = f.Close()
			}
			p := New()
			want(t, p, "127.0.0.1", Answers)
			want(t, p, peer4, Answers)
			want(t, p, peer6, Answers)
			want(t, p, none4, Silent)
			peer.run("ip link set eth0 down")
			want(t, p, peer4, Silent)
			want(t, p, peer6, Silent)
			peer.run("ip link set eth0 up")
			want(t, p, peer4, Answers)
			run(t, "ip link set probe1 down") // the switch dies
			want(t, p, peer4, Unknown)
			if _, err := p.Probe(t.Context(), peer4); err == nil || !strings.Contains(err.Error(), "no carrier") {
				t.Errorf("without a switch: %v", err)
			}
		})
	}
}

// Who ignores echoes is found by his hardware address, and so is who has gone.
func TestAMachineThatIgnoresEchoes(t *testing.T) {
	peer := newPeer(t)
	peer.run("sysctl -qw net.ipv4.icmp_echo_ignore_all=1")
	// So that the kernel asks anew soon: after 30 s it would, and 5 s, and three times 1 s.
	for _, s := range []string{"base_reachable_time_ms=1000", "delay_first_probe_time=1", "retrans_time_ms=200"} {
		run(t, "sysctl -qw net.ipv4.neigh.probe0."+s)
	}
	p := New()
	want(t, p, peer4, Answers)
	peer.run("ip link set eth0 down")
	want(t, p, peer4, Silent)
	peer.run("ip link set eth0 up")
	want(t, p, peer4, Answers)
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, ndmsgLen+3))
	f.Add(binary.NativeEndian.AppendUint16(make([]byte, ndmsgLen), 4))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) >= ndmsgLen {
			parse(b, netip.MustParseAddr(peer4))
		}
	})
}
