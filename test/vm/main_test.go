//go:build linux && amd64

package vm

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/lastwatt/lastwatt/test/vtty"
)

var wanted = flag.Bool("vm", false, "boot virtual machines: as root, for minutes")

// sideBySide is how many machines there are at once unless the command line says: each
// keeps one processor busy while it boots.
const sideBySide = "2"

// installed are the disks that every machine begins with: one for each init.
type installed struct {
	kernel string
	disks  map[string]*os.File
}

// ready is set by TestMain, once.
var ready *installed

func TestMain(m *testing.M) {
	vtty.Main()
	flag.Parse()
	if !*wanted {
		fmt.Println("vm: not asked for; `make vm` does it")
		return
	}
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", sideBySide) // a number, so it can't fail
	}
	var err error
	if ready, err = install(); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// check says what is missing here.
func check() error {
	if os.Getuid() != 0 {
		return errors.New("cannot make disks: only root may; run `sudo make vm`")
	}
	for tool, from := range map[string]string{
		"qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "e2fsck": "e2fsprogs",
		"systemctl": "systemd", "debootstrap": "debootstrap",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("cannot boot virtual machines: there is no %s; install %s", tool, from)
		}
	}
	return nil
}
