//go:build linux && (amd64 || arm64)

package rack

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/test/vtty"
)

var wanted = flag.Bool("rack", false, "boot the machines: as root, for minutes")

// What this program is, when it runs again.
const (
	roleVariable = "LASTWATT_RACK_ROLE"
	roleInside   = "inside"  // the tests themselves, in their namespaces
	roleJanitor  = "janitor" // who cleans up
	// Where things are, for those inside.
	treeVariable  = "LASTWATT_RACK_TREE"  // a Debian tree, only read
	homeVariable  = "LASTWATT_RACK_HOME"  // a folder for disks
	groupVariable = "LASTWATT_RACK_GROUP" // a control group
	outerVariable = "LASTWATT_RACK_OUTER" // the machine's own network namespace
)

// sideBySide is how many tests there are at once unless the command line says: they wait
// most of the time, if not for places for their machines.
const sideBySide = "24"

func TestMain(m *testing.M) {
	vtty.Main()
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", sideBySide) // a number, so it can't fail
	}
	switch {
	case os.Getenv(roleVariable) == roleJanitor:
		report(clean())
	case os.Getenv(roleVariable) == roleInside:
		report(settleIn())
		os.Exit(m.Run())
	case !*wanted:
		fmt.Println("rack: not asked for; `make rack` does it")
	default:
		err := runInside()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(1) // it said why
		}
		report(err)
	}
	os.Exit(0)
}

// report ends the program if there is an error.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rack:", err)
		os.Exit(1)
	}
}

// check says what is missing here.
func check() error {
	if os.Getuid() != 0 {
		return errors.New("cannot boot machines: only root may; run `sudo make rack`")
	}
	for tool, from := range map[string]string{"systemd-nspawn": "systemd-container", "systemctl": "systemd", "ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("cannot boot machines: there is no %s; install %s", tool, from)
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			return errors.New("cannot run this test's own binary in a container, which may have another C library; set CGO_ENABLED=0, as `make rack` does")
		}
	}
	return nil
}

// runInside runs this program again, as the first process of new namespaces: when
// it ends, all in there end. A janitor waits for the end of both.
func runInside() error {
	if err := check(); err != nil {
		return err
	}
	tree, err := tree()
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "lastwatt-rack")
	if err != nil {
		return err
	}
	group, err := newGroup()
	if err != nil {
		return errors.Join(err, os.Remove(home))
	}
	outer, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	env := append(os.Environ(), homeVariable+"="+home, groupVariable+"="+group, treeVariable+"="+tree, outerVariable+"="+outer)
	dismiss, err := hireJanitor(append(env, roleVariable+"="+roleJanitor))
	if err != nil {
		return err
	}
	return errors.Join(inside(append(env, roleVariable+"="+roleInside), home, group), dismiss())
}

// inside is the run of the tests.
func inside(env []string, home, group string) error {
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(home, "bin")+"/", "../../cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the programs: %w\n%s", err, out)
	}
	leaf, err := os.Open(filepath.Join(group, testGroup))
	if err != nil {
		return err
	}
	defer leaf.Close()
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		UseCgroupFD: true, CgroupFD: int(leaf.Fd()),
		Pdeathsig: syscall.SIGKILL,
	}
	return cmd.Run()
}

// settleIn gives the new namespaces what systemd-nspawn looks at or writes to: /proc,
// the control groups as one tree, whatever the machine has, a /run, and memory for disks.
func settleIn() error {
	net, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	if outer := os.Getenv(outerVariable); outer == "" || net == outer {
		return errors.New("this is the machine's own network: nothing may be changed there")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot keep mounts to ourselves: %w", err)
	}
	bin, err := os.Open(filepath.Join(os.Getenv(homeVariable), "bin"))
	if err != nil {
		return err
	}
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"tmpfs", "/run"}, {"cgroup2", "/sys/fs/cgroup"}, {"tmpfs", os.Getenv(homeVariable)},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", m.at, err)
		}
	}
	defer bin.Close()
	return layInstall(fmt.Sprintf("/proc/self/fd/%d", bin.Fd()))
}
