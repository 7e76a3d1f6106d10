package virt

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree writes files, by their paths below a new root; an empty text and a "/" at the end
// is a folder, "|" a FIFO.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case strings.HasSuffix(path, "/"):
			err = os.MkdirAll(at, 0o700)
		case text == "|":
			err = syscall.Mkfifo(at, 0o600)
		default:
			err = os.WriteFile(at, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const flags = "processor\t: 0\nflags\t\t: fpu vme "

func TestDetect(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  Place
	}{
		"nothing to be read":        {nil, Place{}},
		"a machine":                 {map[string]string{"run/systemd/system/": "", "sys/class/dmi/id/sys_vendor": "Dell Inc.\n", "proc/cpuinfo": flags + "sse\n"}, Place{Init: true}},
		"kvm":                       {map[string]string{"sys/class/dmi/id/product_name": "KVM\n", "sys/class/dmi/id/sys_vendor": "QEMU\n"}, Place{Name: "kvm"}},
		"qemu":                      {map[string]string{"sys/class/dmi/id/product_name": "Standard PC\n", "sys/class/dmi/id/sys_vendor": "QEMU\n"}, Place{Name: "qemu"}},
		"hyper-v":                   {map[string]string{"sys/class/dmi/id/product_name": "Virtual Machine\n", "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n"}, Place{Name: "microsoft"}},
		"a board that names it":     {map[string]string{"sys/class/dmi/id/product_name": "Server for VMware\n"}, Place{}},
		"amazon's metal":            {map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "proc/cpuinfo": flags + "\n"}, Place{}},
		"amazon":                    {map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "proc/cpuinfo": flags + "hypervisor\n"}, Place{Name: "amazon"}},
		"only the processor says":   {map[string]string{"proc/cpuinfo": flags + "hypervisor lahf_lm\n"}, Place{Name: "vm-other"}},
		"xen's own machine":         {map[string]string{"proc/xen/capabilities": "control_d\n", "sys/hypervisor/type": "xen\n", "proc/cpuinfo": flags + "hypervisor\n"}, Place{}},
		"xen":                       {map[string]string{"sys/hypervisor/type": "xen\n"}, Place{Name: "xen"}},
		"arm":                       {map[string]string{"proc/device-tree/hypervisor/compatible": "linux,kvm\x00"}, Place{Name: "kvm"}},
		"nspawn with systemd":       {map[string]string{"run/systemd/container": "systemd-nspawn", "run/systemd/system/": ""}, Place{"systemd-nspawn", true, true}},
		"lxc by its environment":    {map[string]string{"proc/1/environ": "PATH=/bin\x00container=lxc\x00TERM=x\x00"}, Place{"lxc", true, false}},
		"docker":                    {map[string]string{".dockerenv": "", "proc/cpuinfo": flags + "hypervisor\n"}, Place{"docker", true, false}},
		"podman with sysvinit":      {map[string]string{"run/.containerenv": "", "run/initctl": "|"}, Place{"podman", true, true}},
		"openvz":                    {map[string]string{"proc/vz/": ""}, Place{"openvz", true, false}},
		"openvz's own machine":      {map[string]string{"proc/vz/": "", "proc/bc/": ""}, Place{}},
		"wsl":                       {map[string]string{"proc/sys/kernel/osrelease": "6.6.87-microsoft-standard-WSL2\n"}, Place{"wsl", true, false}},
		"a name that is none":       {map[string]string{"run/systemd/container": "a b\n", "proc/1/environ": "container=\x1b[0m\x00"}, Place{}},
		"a file in an init's place": {map[string]string{"dev/initctl": "x"}, Place{}},
	} {
		if got := Detect(tree(t, tt.files)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestWhoCanGo(t *testing.T) {
	bare, full, vm := Place{"docker", true, false}, Place{"lxc", true, true}, Place{Name: "kvm"}
	for _, tt := range []struct {
		is      Place
		methods []string
		want    bool
	}{
		{bare, []string{"logind", "systemctl"}, false},
		{bare, []string{"sysvinit"}, false},
		{bare, []string{"logind", "command"}, true},
		{bare, []string{"none"}, true},
		{full, []string{"logind"}, true},
		{vm, []string{"logind"}, true},
		{Place{}, []string{"sysvinit"}, true},
	} {
		err := tt.is.CanGo(tt.methods, "command", "none")
		if (err == nil) != tt.want {
			t.Errorf("%+v by %q: %v", tt.is, tt.methods, err)
		}
		if err != nil && !strings.Contains(err.Error(), `method = ["none"]`) {
			t.Errorf("it is not told what to write: %v", err)
		}
	}
}
