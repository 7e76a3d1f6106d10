//go:build linux && (amd64 || arm64)

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	return m.Run()
}

// program returns the path of one of the programs.
func program(name string) string { return filepath.Join(os.Getenv(binEnv), name) }
