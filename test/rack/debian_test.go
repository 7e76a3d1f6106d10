//go:build linux && (amd64 || arm64)

package rack

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

// What the machines run: the oldest Debian whose systemd is of the age that the units
// are written for.
const (
	suite    = "bookworm"
	packages = "systemd,systemd-sysv,dbus,libpam-systemd,polkitd,iproute2,procps"
)

// debian returns a tree with a Debian, which is made the first time: some 80 s.
func debian() (string, error) {
	if tree := os.Getenv(treeVariable); tree != "" {
		return tree, nil
	}
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
	fmt.Println("rack: making a Debian in", tree)
	args := []string{"--variant=minbase", "--include=" + packages, suite, half}
	if mirror := os.Getenv(mirrorVariable); mirror != "" {
		args = append(args, mirror)
	}
	cmd := exec.Command("debootstrap", args...)
	// What it mounts goes when it ends, and it ends when we do.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("cannot make a Debian: debootstrap: %w; set %s if its mirror can't be reached from here\n%s", err, mirrorVariable, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return tree, os.Rename(half, tree)
}
