package shutdown

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// busConfig is a bus that anybody on this machine who finds its socket may use.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// bus starts a private dbus-daemon and returns its address.
func bus(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lw") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start dbus-daemon, install the package dbus-daemon: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// manager is logind as far as we use it.
type manager struct {
	mu     sync.Mutex
	can    string
	refuse *dbus.Error
	hang   chan struct{}
	calls  []string
	delay  uint64 // InhibitDelayMaxUSec
	locks  []inhibitor
}

// set changes what it answers.
func (m *manager) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *manager) call(name string) (string, *dbus.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, name)
	if m.hang != nil {
		<-m.hang
	}
	return m.can, m.refuse
}

func (m *manager) answer(can string) { m.set(func() { m.can = can }) }

func (m *manager) CanPowerOff() (string, *dbus.Error) {
	return m.call("CanPowerOff")
}

func (m *manager) PowerOff(interactive bool) *dbus.Error {
	_, err := m.call(fmt.Sprintf("PowerOff(%v)", interactive))
	return err
}

// logindOn puts the manager on a bus and returns the executor that talks to it.
func logindOn(t *testing.T, m *manager) logind {
	t.Helper()
	address := bus(t)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Export(m, loginPath, loginManager); err != nil {
		t.Fatal(err)
	}
	if err := conn.Export(properties{m}, loginPath, "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName(loginService, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
	return at(address)
}

func at(address string) logind {
	return logind{limit: logindLimit, dial: func(o ...dbus.ConnOption) (*dbus.Conn, error) { return dbus.Dial(address, o...) }}
}

func TestLogindPowersOff(t *testing.T) {
	m := &manager{can: "yes"}
	x, ctx := logindOn(t, m), context.Background()
	if err := x.Check(ctx); err != nil {
		t.Error(err)
	}
	if err := x.PowerOff(ctx); err != nil {
		t.Error(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := fmt.Sprint(m.calls); got != "[CanPowerOff PowerOff(false)]" {
		t.Errorf("logind was asked %s", got)
	}
	if err := x.Cancel(ctx); !errors.Is(err, ErrNoCancel) {
		t.Errorf("a queued power-off has no way back, and it says %v", err)
	}
}

func TestLogindsAnswersSayWhatToDo(t *testing.T) {
	m := &manager{}
	x := logindOn(t, m)
	for answer, want := range map[string]string{
		"no":        "logind does not let this daemon power off; run it as root, or allow",
		"challenge": "logind wants a password before it powers off; run it as root, or allow",
		"na":        "logind cannot power this machine off; choose another [shutdown] method",
		"inhibited": `logind would not power off now: it answers "inhibited"; see systemd-inhibit --list`,
	} {
		m.answer(answer)
		if err := x.Check(context.Background()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestLogindsRefusalIsATypedError(t *testing.T) {
	const name = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
	x := logindOn(t, &manager{refuse: dbus.NewError(name, []any{"Interactive authentication required."})})
	err := x.PowerOff(context.Background())
	var typed dbus.Error
	if !errors.As(err, &typed) || typed.Name != name {
		t.Errorf("got %v", err)
	}
	if want := "cannot power off by logind: " + name + ": Interactive authentication required."; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestABusWithoutLogindIsAnError(t *testing.T) {
	err := at(bus(t)).PowerOff(context.Background())
	var typed dbus.Error
	if !errors.As(err, &typed) || typed.Name != "org.freedesktop.DBus.Error.ServiceUnknown" {
		t.Errorf("got %v", err)
	}
	err = at("unix:path=" + filepath.Join(t.TempDir(), "none")).Check(context.Background())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot ask logind whether it would power off: cannot connect to the system bus: ") {
		t.Errorf("got %v", err)
	}
}

func TestLogindThatHangsIsAnError(t *testing.T) {
	m := &manager{hang: make(chan struct{})}
	x := logindOn(t, m)
	defer close(m.hang)
	x.limit = 200 * time.Millisecond
	err := x.PowerOff(context.Background())
	if want := "cannot power off by logind: PowerOff: no answer for 200ms; is the system bus alive?"; fmt.Sprint(err) != want {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	back := errors.New("power is back")
	cancel(back)
	if err := x.PowerOff(ctx); !errors.Is(err, back) {
		t.Errorf("the reason is lost: %v", err)
	}
}

// TestABusThatHangsIsAnError: somebody listens and never says a word.
func TestABusThatHangsIsAnError(t *testing.T) {
	dir, err := os.MkdirTemp("", "lw")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x := at("unix:path=" + path)
	x.limit = 200 * time.Millisecond
	if err := x.Check(context.Background()); !strings.Contains(fmt.Sprint(err), "no answer for 200ms") {
		t.Errorf("got %v", err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The connection must be closed, or each hourly check would leave one behind.
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for b := make([]byte, 64); err == nil; {
		_, err = conn.Read(b)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func TestABusThatCannotEvenBeDialledIsAnError(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	x := logind{limit: 100 * time.Millisecond, dial: func(...dbus.ConnOption) (*dbus.Conn, error) {
		<-hang
		return nil, errors.New("late")
	}}
	if err := x.PowerOff(context.Background()); !strings.Contains(fmt.Sprint(err), "no answer for 100ms") {
		t.Errorf("got %v", err)
	}
}
