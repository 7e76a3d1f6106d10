package line

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine is a fake /sys, /dev and /proc.
type machine struct {
	*testing.T
	Roots
}

func newMachine(t *testing.T) machine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := machine{t, Roots{Sys: dir + "/sys", Dev: dir + "/dev", Proc: dir + "/proc"}}
	for _, d := range []string{m.Sys + "/class/tty/console", m.Dev, m.Proc + "/self"} {
		m.mkdir(d)
	}
	return m
}

func (m machine) mkdir(dir string) {
	m.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.Fatal(err)
	}
}

func (m machine) write(path, text string) {
	m.Helper()
	m.mkdir(filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o660); err != nil {
		m.Fatal(err)
	}
}

func (m machine) link(to, path string) {
	m.Helper()
	m.mkdir(filepath.Dir(path))
	if err := os.Symlink(to, path); err != nil {
		m.Fatal(err)
	}
}

// tty makes a port whose device lies at below devices, by the driver.
func (m machine) tty(name, device, driver string) {
	m.Helper()
	dev := filepath.Join(m.Sys, "devices", device)
	m.mkdir(filepath.Join(dev, "tty", name))
	m.link(dev, filepath.Join(dev, "tty", name, "device"))
	m.link(filepath.Join(dev, "tty", name), filepath.Join(m.Sys, "class/tty", name))
	m.link(filepath.Join(m.Sys, "bus/drivers", driver), filepath.Join(dev, "driver"))
	m.write(filepath.Join(m.Dev, name), "")
}

// process makes a process that has a file open.
func (m machine) process(pid int, name, file string) {
	m.Helper()
	dir := fmt.Sprintf("%s/%d/", m.Proc, pid)
	m.write(dir+"comm", name+"\n")
	m.link("/dev/null", dir+"fd/0")
	m.link(file, dir+"fd/7")
}

func TestPorts(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	// A virtual terminal, a name without hardware, a board's port before and since
	// Linux 6.5, two USB adapters.
	m.mkdir(m.Sys + "/class/tty/tty1")
	m.tty("ttyS3", "platform/serial8250", "serial8250")
	m.write(m.Sys+"/class/tty/ttyS3/type", "0\n")
	m.tty("ttyS10", "pnp0/00:05", "serial")
	m.write(m.Sys+"/class/tty/ttyS10/type", "4\n")
	m.tty("ttyS1", "platform/8250/8250:0/8250:0.0", "port")
	m.link("/x/drivers/ctrl", m.Sys+"/devices/platform/8250/8250:0/driver")
	m.link("/x/drivers/serial8250", m.Sys+"/devices/platform/8250/driver")
	m.write(m.Sys+"/class/tty/console/active", "tty0 ttyS1\n")
	m.tty("ttyUSB0", "pci0/usb1/1-2/1-2:1.0/ttyUSB0", "pl2303")
	for name, text := range map[string]string{"idVendor": "067b", "idProduct": "2303", "manufacturer": "Prolific\x1b[2J", "product": "USB-Serial"} {
		m.write(m.Sys+"/devices/pci0/usb1/1-2/"+name, text+"\n")
	}
	m.tty("ttyACM0", "pci0/usb1/1-3/1-3:1.0", "cdc_acm")
	m.write(m.Sys+"/devices/pci0/usb1/1-3/idVendor", "1d50\n")
	m.write(m.Sys+"/devices/pci0/usb1/1-3/idProduct", "6018\n")
	m.link("../../ttyUSB0", m.Dev+"/serial/by-id/usb-Prolific-port0")
	m.link("../../ttyUSB0", m.Dev+"/serial/by-path/pci-0-port0")
	m.process(812, "agetty", m.Dev+"/ttyS1")
	m.process(33, "ModemManager", "socket:[7]")
	m.process(4000, "upsmaster", m.Dev+"/ups") // by another name of the same port
	if err := os.Link(m.Dev+"/ttyUSB0", m.Dev+"/ups"); err != nil {
		t.Fatal(err)
	}
	m.process(os.Getpid(), "me", m.Dev+"/ttyACM0")

	got, err := Ports(m.Roots)
	if err != nil {
		t.Fatal(err)
	}
	want := []PortInfo{
		{Path: m.Dev + "/ttyACM0", Driver: "cdc_acm", USB: "1d50:6018"},
		{Path: m.Dev + "/ttyUSB0", ByID: m.Dev + "/serial/by-id/usb-Prolific-port0", ByPath: m.Dev + "/serial/by-path/pci-0-port0",
			Driver: "pl2303", USB: "067b:2303", Text: "Prolific[2J USB-Serial", Holders: []HeldError{{4000, "upsmaster"}}},
		{Path: m.Dev + "/ttyS1", Driver: "serial8250", Console: true, Holders: []HeldError{{812, "agetty"}}},
		{Path: m.Dev + "/ttyS10", Driver: "serial"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]HeldError{{33, "ModemManager"}}, Meddlers(m.Roots)); diff != "" {
		t.Errorf("meddlers (-want +got):\n%s", diff)
	}
	if got[1].Name() != want[1].ByID || got[3].Name() != want[3].Path {
		t.Errorf("names %s and %s", got[1].Name(), got[3].Name())
	}
	for i, trouble := range []string{"", "held by upsmaster (pid 4000)", "held by agetty (pid 812)", ""} {
		if err := got[i].Trouble(); err == nil && trouble != "" || err != nil && err.Error() != trouble {
			t.Errorf("trouble of %s: %v, want %q", got[i].Path, err, trouble)
		}
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if _, err := Port(Roots{}, "/dev/null"); !errors.Is(err, ErrNotTTY) {
		t.Errorf("another device: %v", err)
	}
	p, err := Port(m.Roots, "/dev/null") // of which that machine says nothing
	if err != nil || p.Path != "/dev/null" || p.Driver != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Port(m.Roots, m.Dev+"/ttyUSB7"); !errors.Is(err, ErrMissing) {
		t.Errorf("no such port: %v", err)
	}
	if _, err := Port(m.Roots, m.Dev); !errors.Is(err, ErrNotTTY) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Ports(Roots{Sys: m.Dev}); err == nil || !strings.Contains(err.Error(), "cannot list serial ports") {
		t.Errorf("without sysfs: %v", err)
	}
}

// TestThisMachinesPorts: the real folders have the expected form, whatever is in them.
func TestThisMachinesPorts(t *testing.T) {
	t.Parallel()
	all, err := Ports(Roots{})
	if err != nil {
		t.Skip(err) // a container without sysfs
	}
	for _, p := range all {
		t.Logf("%+v", p)
		if p.Driver == "" {
			t.Errorf("%s has no driver", p.Path)
		}
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	path := m.Dev + "/ttyS0"
	m.write(path, "")
	for mode, want := range map[os.FileMode]string{
		0o660: "permission denied; run as root, or add this user to the group " + groupOf(path),
		0o600: "permission denied; run as root",
		0o640: "permission denied; run as root",
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := denied(path, os.ErrPermission); !errors.Is(err, ErrPermission) || err.Error() != want {
			t.Errorf("%o: %v, want %s", mode, err, want)
		}
	}
	if err := denied(path, os.ErrClosed); err != os.ErrClosed { //nolint:errorlint // the very same
		t.Errorf("another error became %v", err)
	}
	if (PortInfo{Denied: os.ErrClosed}).Trouble() == nil || (PortInfo{Console: true}).Trouble() == nil {
		t.Error("no trouble with a port that can't be used")
	}
}

// TestHiddenHolders: what this user may not look at is told as that.
func TestHiddenHolders(t *testing.T) {
	if os.Geteuid() == 0 { // root may look at everything: look as nobody
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
	}
	m := newMachine(t)
	m.tty("ttyS0", "pnp0/00:05", "serial")
	m.process(77, "secret", m.Dev+"/ttyS0")
	if err := os.Chmod(m.Proc+"/77/fd", 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(m.Proc+"/77/fd", 0o700)
	if found, hidden := holders(m.Roots, m.Dev+"/ttyS0"); len(found) > 0 || !hidden {
		t.Errorf("found %v, hidden %v", found, hidden)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ program, want string }{
		{"agetty", "serial-getty@ttyS0.service"},
		{"ModemManager", `KERNEL=="ttyS0", ENV{ID_MM_PORT_IGNORE}="1"`},
		{"gpsd", "/etc/default/gpsd"},
		{"brltty", "systemctl mask"},
		{"upsmaster", "systemctl stop upsmaster"},
		{"apcupsd", "stop and disable it"},
		{"minicom", "stop that program"},
	} {
		if got := Release(tt.program, "ttyS0"); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.program, got)
		}
	}
}
