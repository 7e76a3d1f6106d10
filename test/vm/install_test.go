//go:build linux && amd64

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lastwatt/lastwatt/test/debian"
)

// The inits that machines run.
const (
	systemd  = "systemd"
	sysvinit = "sysvinit"
)

// withSysVInit is what a Debian with sysvinit has; udev would cost seconds, and the kernel
// makes all the nodes that are needed.
const withSysVInit = "sysvinit-core,procps"

// fetchKernel puts a kernel into a tree: unpacked, not installed, for it needs no modules:
// Debian's for the cloud has NVMe disks, ext4 and the 8250 built in.
const fetchKernel = `cd "$0/tmp" && chroot "$0" apt-get update -q &&
name=$(chroot "$0" apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p') &&
chroot "$0" sh -c "cd /tmp && apt-get download -q $name" &&
dpkg-deb -x linux-image-*.deb unpacked && mv unpacked/boot/vmlinuz-* ../boot/vmlinuz && rm -r unpacked linux-image-*.deb`

// install builds the programs and makes the disks.
func install() (*installed, error) {
	if err := check(); err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "lastwatt-vm")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home) // before anything can take long
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(home, "bin")+"/", "../../cmd/upsmaster", "../../cmd/upsctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the programs: %w\n%s", err, out)
	}
	in := &installed{disks: map[string]*os.File{}}
	for _, initd := range []string{systemd, sysvinit} {
		layer := filepath.Join(home, initd)
		tree, err := layInstall(initd, home, layer)
		if err != nil {
			return nil, err
		}
		if initd == sysvinit {
			in.kernel = tree + "/boot/vmlinuz"
		}
		if in.disks[initd], err = newDisk(tree, layer); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// layInstall makes a layer, and returns the tree that it lies over.
func layInstall(initd, home, layer string) (tree string, err error) {
	var also []file
	if initd == systemd {
		tree, err = debian.Tree(debian.Systemd, nil)
		also = onSystemd
	} else {
		tree, err = debian.Tree(withSysVInit, func(tree string) error { return debian.Run("sh", "-ec", fetchKernel, tree) })
		also = onSysVInit
	}
	if err != nil {
		return "", err
	}
	for _, f := range append(also, everywhere...) {
		if f.from != "" {
			text, err := os.ReadFile(filepath.Join(home, f.from))
			if errors.Is(err, fs.ErrNotExist) {
				text, err = os.ReadFile(filepath.Join("../../deploy", f.from))
			}
			if err != nil {
				return "", err
			}
			f.text = string(text)
		}
		path := layer + f.to
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f.text), f.mode)); err != nil {
			return "", err
		}
	}
	if initd != systemd {
		return tree, nil
	}
	units := []string{"--root=" + layer, "--quiet", "enable", "upsmaster.service", "lastwatt-cut.service", "shell.service"}
	if out, err := exec.Command("systemctl", units...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot enable %v: %w: %s", units, err, out)
	}
	return tree, nil
}

// file is something that is installed: from the programs or deploy, or a text.
type file struct {
	from, to, text string
	mode           fs.FileMode
}

var everywhere = []file{
	{from: "bin/upsmaster", to: "/usr/bin/upsmaster", mode: 0o755},
	{from: "bin/upsctl", to: "/usr/bin/upsctl", mode: 0o755},
	{to: "/usr/lib/lastwatt-vm/shell", text: shell, mode: 0o755},
	{to: "/etc/hostname", text: "rack1\n", mode: 0o644},
}

var onSystemd = []file{
	{from: "systemd/upsmaster.service", to: "/usr/lib/systemd/system/upsmaster.service", mode: 0o644},
	{from: "systemd/lastwatt-cut.service", to: "/usr/lib/systemd/system/lastwatt-cut.service", mode: 0o644},
	{from: "systemd/poweroff.target.d/50-lastwatt.conf", to: "/usr/lib/systemd/system/poweroff.target.d/50-lastwatt.conf", mode: 0o644},
	{from: "systemd-shutdown/lastwatt", to: "/usr/lib/systemd/system-shutdown/lastwatt", mode: 0o755},
	{to: "/etc/systemd/system/shell.service", text: shellUnit, mode: 0o644},
	{to: "/etc/systemd/journald.conf.d/console.conf", text: "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n", mode: 0o644},
}

var onSysVInit = []file{
	{from: "sysvinit/ups-monitor", to: "/etc/init.d/ups-monitor", mode: 0o755},
	{from: "sysvinit/lastwatt-force-off", to: "/usr/lib/lastwatt/force-off", mode: 0o755},
	{to: "/etc/inittab", text: inittab, mode: 0o644},
	{to: "/etc/fstab", text: "/dev/nvme0n1 / ext4 errors=remount-ro 0 1\n", mode: 0o644},
}

// shell is how the test speaks to the machine: lines of commands on the third port, each
// answered by its output and a line with its status.
const shell = `#!/bin/sh
exec </dev/ttyS2 >/dev/ttyS2 2>&1
stty raw -echo
echo READY
while read -r line; do
	eval "$line" </dev/null
	echo "DONE $?"
done
`

// shellUnit lets it live to the last moment, as a debug shell does.
const shellUnit = `[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
[Service]
ExecStart=/usr/lib/lastwatt-vm/shell
KillMode=none
[Install]
WantedBy=multi-user.target
`

// inittab is Debian's without the terminals, and with what the test needs.
const inittab = `id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now
um:2:respawn:/bin/sh -c 'exec /usr/bin/upsmaster run >/dev/console 2>&1'
sh:2:respawn:/usr/lib/lastwatt-vm/shell
`

// diskSize leaves some 300 MB free.
const diskSize = "700M"

// makeDisk makes a file system of a tree with a layer over it.
const makeDisk = `mount -t overlay overlay -o "lowerdir=$1:$2" "$3" && exec mke2fs -q -t ext4 -d "$3" "$4" ` + diskSize

// newDisk returns a disk without a name: it is gone when nobody has it open.
func newDisk(tree, layer string) (*os.File, error) {
	at, path := layer+".mount", layer+".disk"
	if err := os.Mkdir(at, 0o755); err != nil {
		return nil, err
	}
	if err := debian.Run("sh", "-ec", makeDisk, "sh", layer, tree, at, path); err != nil {
		return nil, err
	}
	return nameless(path)
}

func nameless(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(path)
}

// named is a path for such a file.
func named(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

// disk returns a machine's own disk, with a configuration of the master.
func (in *installed) disk(t testing.TB, initd, masterTOML string) *os.File {
	t.Helper()
	dir := t.TempDir()
	path, toml := filepath.Join(dir, "disk"), filepath.Join(dir, "master.toml")
	if err := os.WriteFile(toml, []byte(masterTOML), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "cp", "--sparse=always", named(in.disks[initd]), path)
	for _, c := range []string{"mkdir /etc/lastwatt", "write " + toml + " /etc/lastwatt/master.toml"} {
		run(t, "debugfs", "-w", "-R", c, path)
	}
	f, err := nameless(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// run runs a tool of this machine.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
