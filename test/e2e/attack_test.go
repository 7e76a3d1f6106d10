//go:build linux && (amd64 || arm64)

package e2e

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/trust"
)

// floods are what whoever can reach the master's port may do with it, over and over.
func floods(t *testing.T) map[string]func(net.Conn) (keep bool) {
	key, err := trust.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(net.Conn) bool{
		"says nothing": func(net.Conn) bool { return true },
		"a slow loris": func(c net.Conn) bool {
			_, _ = c.Write([]byte{22, 3, 1}) // the beginning of a TLS record, RFC 8446 §5.1
			return true
		},
		"junk": func(c net.Conn) bool {
			_, _ = c.Write([]byte(strings.Repeat("\xff\x00GET / HTTP/1.1\r\n", 64)))
			return false
		},
		"a key of nobody": func(c net.Conn) bool {
			// Its handshake is as good as anybody's; it knows no token.
			_ = c.SetDeadline(time.Now().Add(time.Second))
			s := tls.Client(c, trust.JoinTLS(trust.Token{}, key))
			_ = s.Handshake()
			return true
		},
		"gone at once": func(net.Conn) bool { return false },
	}
}

// TestLaw08FloodKeepsNobodyFromHearing opens 10,000 connections, as many of them at a
// time as this process may have, while the power fails and comes back.
func TestLaw08FloodKeepsNobodyFromHearing(t *testing.T) {
	const (
		conns   = 10_000
		atATime = 3000
		usual   = 5 * time.Second // a busy machine's; without a flood it is some tens of ms
	)
	r := newRack(t, rackOptions{})
	r.startMaster()
	r.join("node", agentOptions{grace: "5m"})
	r.await("attached", in("node", "IDLE"))
	raiseFiles(t, atATime+500)

	var wg sync.WaitGroup
	begun := make(chan struct{})
	stop := make(chan struct{})
	var kinds []func(net.Conn) bool
	for _, f := range floods(t) {
		kinds = append(kinds, f)
	}
	slots := make(chan struct{}, atATime)
	wg.Go(func() {
		for i := range conns {
			if i == atATime {
				close(begun)
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				// All of 127.0.0.0/8 is this machine's: a hundred attackers.
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 7, byte(i%100+1))}, Timeout: time.Second}
				c, err := d.Dial("tcp", r.address)
				if err != nil {
					return
				}
				defer c.Close()
				if kinds[i%len(kinds)](c) {
					_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
					gone := make(chan struct{})
					go func() { _, _ = c.Read(make([]byte, 1)); close(gone) }()
					select {
					case <-gone: // the master closed it
					case <-stop:
					}
				}
			})
		}
	})
	<-begun
	began := time.Now()
	r.ups.Mains(false)
	r.await("the outage in the flood", in("node", "GRACE"))
	if took := time.Since(began); took > usual {
		t.Errorf("the outage took %s to arrive in the flood, want %s at most", took, usual)
	} else {
		t.Logf("the outage arrived, and upsctl said so, after %s", took.Round(time.Millisecond))
	}
	r.ups.Mains(true)
	r.await("its end in the flood", in("node", "IDLE"))
	close(stop)
	wg.Wait()
	// Who has a token comes in again.
	r.join("late", agentOptions{})
	r.await("the late one attached", in("late", "IDLE"))
}

// raiseFiles makes sure that this process may have n files open.
func raiseFiles(t *testing.T, n uint64) {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur >= n {
		return
	}
	lim.Cur = min(lim.Max, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur < n {
		t.Fatalf("this process may have %d files open and needs %d: %v", lim.Cur, n, err)
	}
}

// TestPeopleJoinAndMayDoWhatTheyWereAdmittedFor goes through upsctl join as an
// operator and as a viewer, from another home, over the network.
func TestPeopleJoinAndMayDoWhatTheyWereAdmittedFor(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	r.join("node", agentOptions{})
	r.await("attached", in("node", "IDLE"))
	as := func(home string, args ...string) (string, int) {
		cmd := exec.Command(program("upsctl"), args...)
		cmd.Env = append(plainEnv(), "HOME="+home)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	ann, vic := tempDir(t), tempDir(t)
	for home, role := range map[string]string{ann: "operator", vic: "viewer"} {
		token := strings.TrimSpace(r.upsctl("token", "create", "--role", role))
		if out, code := as(home, "--master", r.address, "join", "--name", role, token); code != 0 || !strings.Contains(out, role+" may now ask rack1 as "+role) {
			t.Fatalf("%s: exit status %d: %s", role, code, out)
		}
		if out, code := as(home, "status", "--all"); code == 1 || !strings.Contains(out, "node ") {
			t.Errorf("%s asks for the status, exit status %d: %s", role, code, out)
		}
	}
	if out, code := as(vic, "hold", "node"); code != 1 || !strings.Contains(out, "may not call Hold") {
		t.Errorf("a viewer holds a node, exit status %d: %s", code, out)
	}
	if out, code := as(ann, "hold", "--for", "5m", "node"); code != 0 {
		t.Errorf("an operator can't hold a node, exit status %d: %s", code, out)
	}
	r.await("held", in("node", "HELD"))
	if out, code := as(ann, "ca", "export"); code == 0 {
		t.Errorf("an operator has the CA: %s", out)
	}
	r.upsctl("node", "remove", "operator")
	if out, code := as(ann, "release", "node"); code != 1 {
		t.Errorf("a removed operator acts, exit status %d: %s", code, out)
	}
	if out, code := as(tempDir(t), "--master", r.address, "status"); code != 1 || !strings.Contains(out, "have not joined") {
		t.Errorf("a stranger, exit status %d: %s", code, out)
	}
}

// TestKeysThatArentKeysCostNobodyElse puts what is no key in the place of each key
// file of an agent that has joined: it says so, still runs, and the master does too.
func TestKeysThatArentKeysCostNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	for name, spoil := range map[string]func(string) error{
		"symlink":        func(p string) error { return os.Symlink("/dev/zero", p) },
		"fifo":           func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"folder":         func(p string) error { return os.Mkdir(p, 0o700) },
		"world-writable": func(p string) error { return os.WriteFile(p, []byte("mine"), 0o666) },
		"junk":           func(p string) error { return os.WriteFile(p, []byte("\x00junk"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			a := r.join(name, agentOptions{})
			r.await("attached", in(name, "IDLE"))
			a.stop()
			key := a.path(filepath.Join("data", "racks", "rack1", "identity.pem"))
			if err := os.Remove(key); err != nil {
				t.Fatal(err)
			}
			if err := spoil(key); err != nil {
				t.Fatal(err)
			}
			if name == "world-writable" {
				if err := os.Chmod(key, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			a.start()
			s := a.await("the trouble to be told", func(s status) bool { return s.problem("node/"+name, "identity") })
			if !strings.Contains(s.text, "identity.pem") {
				t.Errorf("which file is it?\n%s", s.text)
			}
		})
	}
}

// checkLogs fails the test if in any log of the rack stands a secret, or that a
// daemon broke: one that crashed after it did what was waited for is no good one.
func checkLogs(t testing.TB, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := filepath.Glob(filepath.Join(dir, "*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(logs, inner...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("cannot look into a log: %v", err)
			continue
		}
		for what, words := range map[string][]string{
			"a secret": {"lw1-", "PRIVATE KEY", "AGE-SECRET"},
			"a crash":  {"panic:", "fatal error:", "DATA RACE"},
		} {
			for _, w := range words {
				if i := strings.Index(string(text), w); i >= 0 {
					t.Errorf("%s stands in %s: %.200q", what, path, text[i:])
				}
			}
		}
	}
}
