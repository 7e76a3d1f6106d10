//go:build linux && (amd64 || arm64)

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lastwatt/lastwatt/test/vtty"
)

// binEnv names the folder of the programs. TestMain sets it for the tests where it
// isn't set already.
const binEnv = "LASTWATT_BIN"

// sideBySide is how many tests run at once unless the command line says: they wait
// most of the time.
const sideBySide = "6"

func TestMain(m *testing.M) {
	vtty.Main()
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", sideBySide) // a number, so it can't fail
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(binEnv) == "" {
		dir, err := os.MkdirTemp("", "lastwatt-bin")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir+"/", "../../cmd/...")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build the programs: %v\n%s", err, out)
			return 1
		}
		os.Setenv(binEnv, dir)
	}
	if os.Geteuid() == 0 {
		return unprivileged()
	}
	return m.Run()
}

// nobody is the user and group that have nothing (Debian's base-passwd).
const nobody = 65534

// unprivileged runs these tests again as nobody: what the daemons need no privilege
// for is tested without it.
func unprivileged() int {
	home, err := os.MkdirTemp("", "lastwatt-e2e")
	if err == nil {
		defer os.RemoveAll(home)
		err = os.Chown(home, nobody, nobody)
	}
	if err == nil {
		err = os.Chmod(os.Getenv(binEnv), 0o755)
	}
	var self []byte
	if err == nil {
		self, err = os.ReadFile("/proc/self/exe")
	}
	program := filepath.Join(home, "e2e.test")
	if err == nil {
		err = os.WriteFile(program, self, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot give nobody a folder:", err)
		return 1
	}
	// The go tool's own folder, and what it wants written there, are root's.
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool {
		return strings.HasPrefix(a, "-test.testlogfile=") || strings.HasPrefix(a, "-test.gocoverdir=") || strings.HasPrefix(a, "-test.outputdir=")
	})
	again := exec.Command(program, args...)
	again.Env = append(os.Environ(), "TMPDIR="+home, "HOME="+home)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	err = again.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, "cannot run the tests as nobody:", err)
		return 1
	}
}

// program returns the path of one of the programs.
func program(name string) string { return filepath.Join(os.Getenv(binEnv), name) }
