//go:build linux && (amd64 || arm64)

package rack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/test/vtty"
)

// Where a machine with a serial port finds what makes a port of a pseudo-terminal.
const (
	portNode   = "/dev/ttyUPS"
	portDoor   = "/dev/lastwatt" // below /dev: what is mounted there stays to the last
	portBinary = "/usr/lib/lastwatt-rack/port"
)

// layer is a folder that lies over the Debian of every machine: as if packages had been
// installed there.
func layer(name string) string { return filepath.Join(os.Getenv(homeVariable), name) }

// layInstall makes the layers "agent" and "master" of the programs in bin and the
// files of deploy.
func layInstall(bin string) error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	return errors.Join(
		copyFile(bin+"/upsagent", layer("agent")+"/usr/bin/upsagent"),
		copyFile(bin+"/upsctl", layer("agent")+"/usr/bin/upsctl"),
		copyFile(bin+"/upsctl", layer("master")+"/usr/bin/upsctl"),
		// The programs and units are as they are; only who executes this name has the
		// calls on its serial port answered by the test.
		copyFile(bin+"/upsmaster", layer("master")+"/usr/lib/lastwatt-rack/upsmaster"),
		copyFile(self, layer("master")+portBinary),
		writeFile(layer("master")+"/usr/bin/upsmaster", ported("/usr/lib/lastwatt-rack/upsmaster"), 0o755),
		copyDeploy("../../deploy/systemd"),
		copyFile("../../deploy/systemd-shutdown/lastwatt", layer("master")+"/usr/lib/systemd/system-shutdown/lastwatt"),
	)
}

// ported is a script that becomes a program that sees the port.
func ported(program string) string {
	argv := vtty.Argv(portDoor+"/door", program)
	return fmt.Sprintf("#!/bin/bash\nexec -a %s %s %s \"$@\"\n", argv[0], portBinary, strings.Join(argv[1:], " "))
}

// copyDeploy puts the shipped files of systemd where a package does, on the machines
// that run what they start.
func copyDeploy(from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		for _, l := range []string{"agent", "master"} {
			if other := map[string]string{"agent": "upsmaster.service", "master": "upsagent.service"}[l]; rel == other ||
				l == "agent" && strings.Contains(rel, "cut") {
				continue
			}
			if err := copyFile(path, layer(l)+"/usr/lib/systemd/system/"+rel); err != nil {
				return err
			}
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, st.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func writeFile(path, text string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), mode)
}

// newDisk makes the disk of a machine: what it writes lies over what is installed over
// Debian.
func newDisk(dir, kind string) (root string, err error) {
	root = filepath.Join(dir, "root")
	for _, d := range []string{"root", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s/upper,workdir=%[3]s/work", layer(kind), os.Getenv(treeVariable), dir)
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("cannot make a disk: %w", err)
	}
	return root, nil
}

// enable does what the installation of a package does: what its units say of themselves.
func enable(root string, units ...string) error {
	out, err := exec.Command("systemctl", append([]string{"--root=" + root, "enable", "--quiet"}, units...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot enable %v: %w: %s", units, err, out)
	}
	return nil
}
