package line

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const byID = "/dev/serial/by-id"

// checkPath finds what can be found without opening, which would pulse the lines.
func checkPath(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return cannotOpen(path, ErrMissing, "plug the adapter in, or write a path that ls "+byID+" /dev/ttyS* shows")
	case errors.Is(err, os.ErrPermission):
		return cannotOpen(path, ErrPermission, "let this user into the directory, or run as root")
	case err != nil:
		return cannotOpen(path, err, "write the path of a serial port")
	case info.Mode()&os.ModeCharDevice == 0:
		return cannotOpen(path, ErrNotTTY, "write the path of a serial port, such as one in "+byID)
	}
	return nil
}

func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		held := holder(path)
		if held == nil {
			held = &HeldError{}
		}
		return cannotOpen(path, held, "stop that program, or keep it off this port")
	case errors.Is(err, os.ErrPermission):
		return cannotOpen(path, ErrPermission, "run as root, or add this user to the group "+groupOf(path))
	case errors.Is(err, os.ErrNotExist):
		return cannotOpen(path, ErrMissing, "plug the adapter in")
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EIO):
		return cannotOpen(path, fmt.Errorf("%w: %w", ErrLost, err), "check the adapter and its plug")
	}
	return cannotOpen(path, err, "check the adapter and the path")
}

// explainSetup says what a port is that did not take the first calls.
func explainSetup(path string, err error) error {
	switch {
	case errors.Is(err, ErrNotTTY):
		return cannotOpen(path, ErrNotTTY, "write the path of a serial port, such as one in "+byID)
	case errors.Is(err, ErrNoModemLines):
		return cannotOpen(path, ErrNoModemLines, "use a port with the full set of wires")
	case errors.Is(err, unix.EIO):
		return cannotOpen(path, fmt.Errorf("%w: %w", ErrLost, err), "there may be no hardware behind this name: choose another port")
	}
	return cannotOpen(path, err, "check the adapter and the path")
}

func groupOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "that owns it"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "that owns it"
	}
	gid := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(gid); err == nil {
		return g.Name
	}
	return gid
}

// holder returns a process that has the port open, as far as this user may see;
// nil if none. Process 1 is left out: it keeps our own stored descriptor.
func holder(path string) *HeldError {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	found, _ := holders(Roots{}.orDefault(), real)
	for i := range found {
		if found[i].PID != 1 {
			return &found[i]
		}
	}
	return nil
}

// cachingDriver returns the name of the port's driver if it answers TIOCMGET from
// a memory that is empty until the device reports a change by itself (kernel
// drivers/usb/serial/pl2303.c, f81232.c, keyspan.c and usb/class/cdc-acm.c); all
// lines low would else be read as a UPS on its last battery. Empty: another
// driver, or not known.
func cachingDriver(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	link, err := os.Readlink("/sys/class/tty/" + filepath.Base(real) + "/device/driver")
	if err != nil {
		return ""
	}
	name := filepath.Base(link)
	if slices.Contains([]string{"pl2303", "f81232", "cdc_acm"}, name) || strings.HasPrefix(name, "keyspan_") && name != "keyspan_pda" {
		return name
	}
	return ""
}
