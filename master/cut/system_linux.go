package cut

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// forceLimit is how long the kernel is given for a remount that nobody can refuse.
const forceLimit = 5 * time.Second

// system is this machine, or in a test what stands for it.
type system struct {
	mountinfo string
	sync      func()
	contained func() bool
	remount   func(at string) error
	force     func() error // begins to make all file systems read-only
}

func thisSystem() System {
	return system{
		mountinfo: "/proc/self/mountinfo", sync: unix.Sync, contained: contained,
		remount: func(at string) error { return unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") },
		// Emergency remount (Documentation/admin-guide/sysrq.rst); as root it needs no
		// kernel.sysrq.
		force: func() error { return os.WriteFile("/proc/sysrq-trigger", []byte("u"), 0) },
	}
}

// Quiet implements System. Files that are open to be written, such as systemd-journald's,
// keep a file system from being made read-only. By now nobody has a right to them: then it
// is forced. In a container it syncs only: the file systems are the host's, and read-only
// there would be read-only for everybody.
func (s system) Quiet() error {
	s.sync()
	if s.contained() {
		return nil
	}
	why := map[string]error{}
	for _, at := range writable(s.mountinfo) {
		why[at] = s.remount(at)
	}
	left := writable(s.mountinfo)
	if len(left) > 0 && s.force() == nil {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for end := time.Now().Add(forceLimit); len(left) > 0 && time.Now().Before(end); left = writable(s.mountinfo) {
			<-tick.C
		}
	}
	s.sync()
	var errs []error
	for _, at := range left {
		errs = append(errs, fmt.Errorf("cannot make %s read-only: %w; it was synced", at, cmp.Or(why[at], errStays)))
	}
	return errors.Join(errs...)
}

// errStays: the kernel says that it did it, and didn't.
var errStays = errors.New("it stays writable")

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

// Reboot implements System. Nothing is left to stop by then: reboot(2). A disk that
// hangs keeps nobody down.
func (system) Reboot() error {
	_ = bounded(quietLimit, func() error { unix.Sync(); return nil })
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
