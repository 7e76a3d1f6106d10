//go:build linux && (amd64 || arm64)

package rack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// testGroup is the leaf of the control group that the tests themselves are in: in the
// second version only leaves may have processes (cgroups(7)).
const testGroup = "test"

// newGroup makes a control group for all that runs here.
func newGroup() (string, error) {
	root, err := groupRoot()
	if err != nil {
		return "", err
	}
	group := filepath.Join(root, fmt.Sprintf("lastwatt-rack-%d", os.Getpid()))
	if err := os.MkdirAll(filepath.Join(group, testGroup), 0o755); err != nil {
		return "", fmt.Errorf("cannot make a control group: %w", err)
	}
	return group, nil
}

// groupRoot is where the control groups of the second version are mounted: alone, or
// beside those of the first.
func groupRoot() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text()) // proc_pid_mountinfo(5)
		if i := slices.Index(words, "-"); i > 4 && i+1 < len(words) && words[i+1] == "cgroup2" && words[3] == "/" {
			return words[4], nil
		}
	}
	return "", errors.New("cannot make a control group: no cgroup2 is mounted; mount it at /sys/fs/cgroup/unified")
}

// hireJanitor starts the process that cleans up when this one and its tests are gone,
// killed or not. What is returned lets it begin, and waits for it.
func hireJanitor(env []string) (func() error, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stdin, cmd.Stderr = env, r, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no Ctrl-C for it
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() error {
		w.Close()
		return cmd.Wait()
	}, nil
}

// clean is the janitor's work.
func clean() error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // ends when nobody holds the other end
		return err
	}
	return errors.Join(removeGroup(os.Getenv(groupVariable)), os.RemoveAll(os.Getenv(homeVariable)))
}

// removeGroup ends all that runs in a control group and removes it.
func removeGroup(group string) error {
	if err := os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0o200); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		err := removeEmpty(group)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("cannot remove a control group: %w", err)
		case <-tick.C:
		}
	}
}

// removeEmpty removes a control group and those below it. Their files go with them.
func removeEmpty(group string) error {
	entries, err := os.ReadDir(group)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeEmpty(filepath.Join(group, e.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(group)
}
