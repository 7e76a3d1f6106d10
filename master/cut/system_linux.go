package cut

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// system is this machine.
type system struct{}

// Quiet implements System. In a container it syncs only: the file systems are the
// host's, and read-only there would be read-only for everybody.
func (system) Quiet() error {
	unix.Sync()
	if contained() {
		return nil
	}
	var errs []error
	for _, at := range writable("/proc/self/mountinfo") {
		if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			errs = append(errs, fmt.Errorf("cannot make %s read-only: %w; it was synced", at, err))
		}
	}
	unix.Sync()
	return errors.Join(errs...)
}

// contained reports whether this is a container: whoever made it says so to its
// first process, or leaves a file (systemd.io/CONTAINER_INTERFACE; docker, podman).
func contained() bool {
	for _, mark := range []string{"/run/systemd/container", "/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	env, err := os.ReadFile("/proc/1/environ")
	return err != nil || slices.ContainsFunc(strings.Split(string(env), "\x00"), func(kv string) bool {
		return strings.HasPrefix(kv, "container=")
	})
}

// Reboot implements System. Nothing is left to stop by then: reboot(2).
func (system) Reboot() error {
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// writable returns where disks are mounted that can be written, the innermost first.
func writable(mountinfo string) []string {
	f, err := os.Open(mountinfo)
	if err != nil {
		return []string{"/"}
	}
	defer f.Close()
	var at []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if dir, ok := disk(lines.Text()); ok {
			at = append(at, dir)
		}
	}
	slices.Reverse(at)
	return at
}

// disk takes a line of mountinfo (proc_pid_mountinfo(5)) and returns where it is
// mounted, if it is a file system that can be written and outlasts the power. One
// with a device for a source is on a disk; an overlay or zfs has a name instead.
func disk(text string) (string, bool) {
	mount, fs, ok := strings.Cut(text, " - ")
	m, f := strings.Fields(mount), strings.Fields(fs)
	if !ok || len(m) < 6 || len(f) < 3 {
		return "", false
	}
	onDisk := strings.HasPrefix(f[1], "/") || f[0] == "zfs" || m[4] == "/"
	super := strings.Split(f[2], ",")
	if !onDisk || !slices.Contains(super, "rw") || strings.HasPrefix(m[4], "/proc/") || strings.HasPrefix(m[4], "/sys/") {
		return "", false
	}
	return unescape.Replace(m[4]), true
}

// unescape is how mountinfo writes what would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
