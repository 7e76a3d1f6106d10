//go:build linux

package debian

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// suite is the oldest Debian whose systemd is of the age that the units are written for.
const suite = "bookworm"

// Systemd is what a Debian with systemd has, for machines of all kinds. There is no udev: the
// kernel, or whoever runs a container, makes all the nodes that are needed.
const Systemd = "systemd,systemd-sysv,dbus,libpam-systemd,polkitd,iproute2,procps"

// mirrorVariable is where debootstrap gets packages from, if not from Debian's own.
const mirrorVariable = "LASTWATT_RACK_MIRROR"

// Tree returns a folder with a Debian of these packages, only to be read. It is made the
// first time, in one or two minutes, below the user's cache folder. finish, unless nil,
// adds to the new tree.
func Tree(packages string, finish func(tree string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "lastwatt-rack")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(packages))
	tree := filepath.Join(cache, fmt.Sprintf("%s-%x", suite, sum[:4]))
	lock, err := os.OpenFile(tree+".lock", os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() // and with it the lock goes
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("cannot lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	half := tree + ".new" // and what an interrupted run has left there
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := bootstrap(half, packages); err != nil {
		return "", err
	}
	if finish != nil {
		if err := finish(half); err != nil {
			return "", err
		}
	}
	return tree, os.Rename(half, tree)
}

func bootstrap(tree, packages string) error {
	fmt.Println("debian: making a tree in", tree)
	args := []string{"--variant=minbase", "--include=" + packages, suite, tree}
	if mirror := os.Getenv(mirrorVariable); mirror != "" {
		args = append(args, mirror)
	}
	if err := Run("debootstrap", args...); err != nil {
		return fmt.Errorf("cannot make a Debian: %w; set %s if its mirror can't be reached from here", err, mirrorVariable)
	}
	return nil
}

// Run runs a program that may mount things: what it mounts goes when it ends, and it ends
// when we do.
func Run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w\n%s", name, err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return nil
}
