package line

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errConsole: whatever the kernel has to say goes out of there.
var errConsole = errors.New("the kernel's console is there; take console=… off its command line, or use another port")

// Ports returns every serial port that has hardware behind it, opening none. USB
// adapters come first: a board's own ports are mostly not wired.
func Ports(r Roots) ([]PortInfo, error) {
	r = r.orDefault()
	class := filepath.Join(r.Sys, "class/tty")
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, fmt.Errorf("cannot list serial ports: %w; name the port", err)
	}
	var all []PortInfo
	for _, e := range entries {
		dir := filepath.Join(class, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "device")); err != nil {
			continue // a virtual terminal
		}
		if kind, err := os.ReadFile(filepath.Join(dir, "type")); err == nil && strings.TrimSpace(string(kind)) == "0" {
			continue // a name that the 8250 driver keeps for hardware that isn't there
		}
		all = append(all, describe(r, filepath.Join(r.Dev, e.Name())))
	}
	slices.SortStableFunc(all, func(a, b PortInfo) int {
		if (a.USB != "") != (b.USB != "") {
			return map[bool]int{true: -1, false: 1}[a.USB != ""]
		}
		if n := len(a.Path) - len(b.Path); n != 0 {
			return n // ttyS2 before ttyS10
		}
		return strings.Compare(a.Path, b.Path)
	})
	return all, nil
}

// Port returns what is known about the port at path, which may be a link, without
// opening it.
func Port(r Roots, path string) (PortInfo, error) {
	r = r.orDefault()
	if err := checkPath(path); err != nil {
		return PortInfo{}, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return PortInfo{}, cannotOpen(path, err, "write the path of a serial port")
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err == nil {
		dev := fmt.Sprintf("dev/char/%d:%d/subsystem", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		if kind, err := os.Readlink(filepath.Join(r.Sys, dev)); err == nil && filepath.Base(kind) != "tty" {
			return PortInfo{}, cannotOpen(path, ErrNotTTY, "write the path of a serial port, such as one in "+byID)
		}
	}
	return describe(r, real), nil
}

// Meddlers returns the running programs that are known to open serial ports uninvited.
func Meddlers(r Roots) []HeldError {
	r = r.orDefault()
	var found []HeldError
	for _, pid := range processes(r) {
		if name := comm(r, pid); meddles(name) {
			found = append(found, HeldError{PID: pid, Name: name})
		}
	}
	return found
}

func describe(r Roots, path string) PortInfo {
	p := PortInfo{Path: path}
	name := filepath.Base(path)
	p.ByID, p.ByPath = linkTo(filepath.Join(r.Dev, "serial/by-id"), path), linkTo(filepath.Join(r.Dev, "serial/by-path"), path)
	if dev, err := filepath.EvalSymlinks(filepath.Join(r.Sys, "class/tty", name, "device")); err == nil {
		p.Driver = driverOf(dev)
		p.USB, p.Text = usbOf(r, dev)
	}
	active, _ := os.ReadFile(filepath.Join(r.Sys, "class/tty/console/active")) // no console, no list
	p.Console = slices.Contains(strings.Fields(string(active)), name)
	p.Holders, p.Hidden = holders(r, path)
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		p.Denied = denied(path, err)
	}
	return p
}

// denied says what would let this user open the port.
func denied(path string, err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	info, statErr := os.Stat(path)
	if statErr == nil && info.Mode().Perm()&0o060 == 0o060 {
		return fmt.Errorf("%w; run as root, or add this user to the group %s", ErrPermission, groupOf(path))
	}
	return fmt.Errorf("%w; run as root", ErrPermission)
}

// linkTo returns the first link in dir that leads to path, "" if none does.
func linkTo(dir, path string) string {
	entries, _ := os.ReadDir(dir) // no folder, no links
	for _, e := range entries {
		link := filepath.Join(dir, e.Name())
		if to, err := filepath.EvalSymlinks(link); err == nil && to == path {
			return link
		}
	}
	return ""
}

// driverOf returns the name of the driver that moves the lines. Since Linux 6.5 two
// devices of the serial core stand between a port and its hardware
// (drivers/tty/serial/serial_base_bus.c).
func driverOf(dev string) string {
	for range 4 {
		link, err := os.Readlink(filepath.Join(dev, "driver"))
		if name := filepath.Base(link); err == nil && name != "port" && name != "ctrl" {
			return name
		}
		dev = filepath.Dir(dev)
	}
	return ""
}

// usbOf returns who made the USB device that a port belongs to.
func usbOf(r Roots, dev string) (id, text string) {
	top, err := filepath.EvalSymlinks(r.Sys)
	if err != nil {
		return "", ""
	}
	for ; strings.HasPrefix(dev, top+"/"); dev = filepath.Dir(dev) {
		vendor := attribute(dev, "idVendor")
		if vendor == "" {
			continue
		}
		text := strings.Join(slices.DeleteFunc([]string{attribute(dev, "manufacturer"), attribute(dev, "product"), attribute(dev, "serial")},
			func(s string) bool { return s == "" }), " ")
		return vendor + ":" + attribute(dev, "idProduct"), text
	}
	return "", ""
}

func attribute(dev, name string) string {
	text, _ := os.ReadFile(filepath.Join(dev, name)) // none is empty
	return plain(string(text))
}

func processes(r Roots) []int {
	entries, _ := os.ReadDir(r.Proc) // without /proc nobody can be seen
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

func comm(r Roots, pid int) string {
	text, _ := os.ReadFile(filepath.Join(r.Proc, strconv.Itoa(pid), "comm")) // it has ended
	return plain(string(text))
}

// holders returns who has the port open, and whether some could not be looked at.
func holders(r Roots, path string) (found []HeldError, hidden bool) {
	for _, pid := range processes(r) {
		if pid == os.Getpid() {
			continue
		}
		dir := filepath.Join(r.Proc, strconv.Itoa(pid), "fd")
		fds, err := os.ReadDir(dir)
		if err != nil {
			hidden = hidden || errors.Is(err, os.ErrPermission)
			continue
		}
		if slices.ContainsFunc(fds, func(fd os.DirEntry) bool {
			// Only what lies in dev is looked at: a stat elsewhere can hang on a dead
			// file server. The link itself says little: in a container the same name can
			// mean another port, and another name this one.
			link := filepath.Join(dir, fd.Name())
			to, err := os.Readlink(link)
			return err == nil && strings.HasPrefix(to, r.Dev+"/") && sameDevice(link, path)
		}) {
			found = append(found, HeldError{PID: pid, Name: comm(r, pid)})
		}
	}
	return found, hidden
}

// sameDevice reports whether two names lead to one port.
func sameDevice(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	if err != nil {
		return false
	}
	s, t := one.Sys().(*syscall.Stat_t), two.Sys().(*syscall.Stat_t)
	// The numbers of pseudo-terminals (136 to 143, Documentation/admin-guide/devices.txt)
	// begin anew in each container.
	major := unix.Major(s.Rdev)
	return os.SameFile(one, two) || one.Mode()&two.Mode()&os.ModeCharDevice != 0 && s.Rdev == t.Rdev && (major < 136 || major > 143)
}
