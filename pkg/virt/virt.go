// Package virt finds out what this machine runs in: its own hardware, a virtual machine
// or a container, and whether a container has an init that could end it. It hides where a
// kernel tells that. What it does not know it calls nothing, and it changes nothing.
package virt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Place is what a machine runs in.
type Place struct {
	// Name is what it is called, as systemd-detect-virt(1) calls it: "kvm", "lxc"; empty:
	// its own hardware, or not known.
	Name string
	// Container: it is a container, so it shares its host's kernel.
	Container bool
	// Init: something is there that ends the machine when it is asked to: systemd, or
	// sysvinit.
	Init bool
}

// Detect looks at the file system below root, which is "/" for this machine. It is meant
// for a start: it may wait for a disk.
func Detect(root string) Place {
	l := look{root}
	p := Place{Init: l.isDir("run/systemd/system") || l.isPipe("run/initctl") || l.isPipe("dev/initctl")}
	if p.Name = l.container(); p.Name != "" {
		p.Container = true
		return p
	}
	p.Name = l.machine()
	return p
}

// CanGo says why a machine there can't be powered off by any of the methods, nil if one
// of them may work; command is the one that the owner's own program does, none the dry
// run. In a container without an init nobody would end anything: logind, systemctl and
// shutdown(8) are told or signal nobody.
func (p Place) CanGo(methods []string, command, none string) error {
	if !p.Container || p.Init || slices.Contains(methods, command) || len(methods) == 1 && methods[0] == none {
		return nil
	}
	return fmt.Errorf("cannot power off anything: this is a container (%s) without an init of its own; "+
		"run upsagent on the machine that it runs on, or write method = [%q] in [shutdown] with a command that reaches that machine, or method = [%q] for a dry run",
		p.Name, command, none)
}

// look reads files below a root.
type look struct{ root string }

func (l look) isDir(path string) bool {
	st, err := os.Stat(filepath.Join(l.root, path))
	return err == nil && st.IsDir()
}

// isPipe reports whether a FIFO is there: sysvinit reads its orders from one (initctl(5)).
func (l look) isPipe(path string) bool {
	st, err := os.Stat(filepath.Join(l.root, path))
	return err == nil && st.Mode()&fs.ModeNamedPipe != 0
}

func (l look) has(path string) bool {
	_, err := os.Stat(filepath.Join(l.root, path))
	return !errors.Is(err, fs.ErrNotExist)
}

// most is how much of a file is read: what is looked for stands at its beginning.
const most = 64 << 10

// read returns a file's beginning; empty: there is nothing to be read.
func (l look) read(path string) string {
	f, err := os.Open(filepath.Join(l.root, path))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(b)
}

// word returns a file's first line, if it is fit to be shown.
func (l look) word(path string) string {
	line, _, _ := strings.Cut(l.read(path), "\n")
	return plain(line)
}

// nameMost is as long as a name gets.
const nameMost = 32

// plain returns s if it is one word of ASCII, as these names are.
func plain(s string) string {
	s = strings.TrimSpace(s)
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(s) > nameMost || strings.ContainsFunc(s, bad) {
		return ""
	}
	return s
}

// container returns what kind of container this is; empty: none, as far as can be seen.
func (l look) container() string {
	// What the manager says, by systemd's container interface.
	for _, path := range []string{"run/systemd/container", "run/host/container-manager"} {
		if name := l.word(path); name != "" {
			return name
		}
	}
	for _, v := range bytes.Split([]byte(l.read("proc/1/environ")), []byte{0}) {
		if name, is := strings.CutPrefix(string(v), "container="); is && plain(name) != "" {
			return plain(name)
		}
	}
	switch kernel := l.read("proc/sys/kernel/osrelease"); {
	case l.has("run/.containerenv"):
		return "podman"
	case l.has(".dockerenv"):
		return "docker"
	case l.has("proc/vz") && !l.has("proc/bc"):
		return "openvz"
	case strings.Contains(kernel, "Microsoft") || strings.Contains(kernel, "WSL"):
		return "wsl"
	default:
		return ""
	}
}

// vendor is a text of the firmware's by which a kind of virtual machine is known.
type vendor struct{ text, name string }

// vendors returns them, what is more special first.
func vendors() []vendor {
	return []vendor{
		{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "amazon"}, {"Google Compute Engine", "google"},
		{"QEMU", "qemu"}, {"VMware", "vmware"}, {"VMW", "vmware"}, {"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"},
		{"Xen", "xen"}, {"Bochs", "bochs"}, {"Parallels", "parallels"}, {"BHYVE", "bhyve"}, {"Apple Virtualization", "apple"},
		{"Virtual Machine", "microsoft"},
	}
}

// machine returns what kind of virtual machine this is; empty: none, as far as can be
// seen.
func (l look) machine() string {
	cpu := l.read("proc/cpuinfo")
	switch {
	case strings.Contains(l.read("proc/xen/capabilities"), "control_d"):
		return "" // the machine that runs the others
	case l.word("sys/hypervisor/type") == "xen":
		return "xen"
	case strings.Contains(cpu, "User Mode Linux"):
		return "uml"
	}
	for _, file := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor"} {
		text := l.read("sys/class/dmi/id/" + file)
		for _, v := range vendors() {
			// A whole machine of Amazon's has the same vendor, and no hypervisor.
			if strings.HasPrefix(text, v.text) && (v.name != "amazon" || hypervisor(cpu)) {
				return v.name
			}
		}
	}
	switch tree := l.read("proc/device-tree/hypervisor/compatible"); {
	case strings.Contains(tree, "linux,kvm"):
		return "kvm"
	case strings.Contains(tree, "xen"):
		return "xen"
	case hypervisor(cpu):
		return "vm-other"
	default:
		return ""
	}
}

// hypervisor reports whether a processor says that there is one above it (CPUID leaf 1,
// ECX bit 31).
func hypervisor(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		if name, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			return slices.Contains(strings.Fields(flags), "hypervisor")
		}
	}
	return false
}
