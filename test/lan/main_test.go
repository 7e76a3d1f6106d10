package lan

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What this program is, when it runs again.
const (
	roleVariable = "LASTWATT_LAN_ROLE"
	roleInside   = "inside" // the tests themselves, in their namespaces
	roleNode     = "node"   // a machine on the LAN
	roleCrowd    = "crowd"  // two hundred strangers
	// userVariable is set where there is but one user: a user namespace.
	userVariable = "LASTWATT_LAN_ONE_USER"
	// homeVariable is the machine's own network namespace, which nobody may touch.
	homeVariable = "LASTWATT_LAN_HOME"
)

// whyNot is why the tests can't run here.
var whyNot error

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleNode:
		runNode()
	case roleCrowd:
		runCrowd()
	case roleInside:
		if err := settleIn(); err != nil {
			fmt.Fprintln(os.Stderr, "lan:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	default:
		var exit *exec.ExitError
		switch err := runInside(); {
		case err == nil:
		case errors.As(err, &exit):
			os.Exit(1)
		default:
			whyNot = err
			os.Exit(m.Run())
		}
	}
}

// runInside runs this program again, as the first process of new namespaces: when
// it ends, all in there end.
func runInside() error {
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), roleVariable+"="+roleInside, homeVariable+"="+home)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.Env = append(cmd.Env, userVariable+"=1")
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot make namespaces, which takes root, or user namespaces for all: %w", err)
	}
	return cmd.Wait()
}

// settleIn gives the new namespaces a /proc of their own. With the old one a process's
// number would be that of a process outside, and "the network of process 7" the
// machine's own.
func settleIn() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot keep mounts to ourselves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	return notHome(os.Getpid())
}

// notHome is asked before anything is changed: is the network of that process, by
// its number here, another than the machine's own?
func notHome(pid int) error {
	if os.Getenv(homeVariable) == "" {
		return errors.New("the machine's own network is not known")
	}
	net, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	if net == os.Getenv(homeVariable) {
		return fmt.Errorf("process %d is in the machine's own network: nothing may be changed there", pid)
	}
	return nil
}

// inside skips a test where there are no namespaces to be had.
func inside(t *testing.T) {
	t.Helper()
	if whyNot != nil {
		t.Skip(whyNot)
	}
}
