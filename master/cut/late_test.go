package cut_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
)

func TestGoing(t *testing.T) {
	for _, c := range []struct{ name, jobs, want string }{
		{"nothing", "", ""},
		{"no jobs", "No jobs running.\n", ""},
		// As systemd 252 prints them while the late unit runs.
		{"poweroff", " 451 poweroff.target           start waiting\n 460 lastwatt-cut.service      start running\n 452 systemd-poweroff.service  start waiting\n", "poweroff"},
		{"halt", "1 halt.target start waiting", "halt"},
		{"reboot", "1 reboot.target start waiting", "reboot"},
		{"kexec", "1 kexec.target start waiting", "kexec"},
		{"a stop of the target", "1 poweroff.target stop waiting", ""},
		{"another unit", "1 nopoweroff.target start waiting\n2 poweroff.service start waiting", ""},
		{"both: the one that is no end", "1 poweroff.target start waiting\n2 reboot.target start waiting", "reboot"},
		{"cut off", "1 poweroff.target", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := cut.Going(c.jobs); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, to := range []string{"", "reboot", "kexec", "soft-reboot", "exit", "Poweroff"} {
		if cut.Final(to) {
			t.Errorf("%q is no end", to)
		}
	}
	if !cut.Final("poweroff") || !cut.Final("halt") {
		t.Error("poweroff and halt are the end")
	}
}

func TestWhatWasRefusedIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	if err := cut.Refused(nil, dir); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
	cut.Refuse(nil, dir, errors.New("the seal is torn"))
	if err := cut.Refused(nil, dir); err == nil || !strings.Contains(err.Error(), "the seal is torn") {
		t.Errorf("got %v", err)
	}
	if err := cut.Refused(nil, dir); err != nil {
		t.Errorf("told twice: %v", err)
	}
	cut.Refuse(nil, dir+"/unmounted", errors.New("x"))
	if err := cut.Refused(nil, dir+"/unmounted"); err != nil {
		t.Errorf("it made a folder below a mount point: %v", err)
	}
}

func TestHowLongItTookToStopIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	if d := cut.TookStop(nil, dir); d != 0 {
		t.Errorf("nothing was noted, and it took %v", d)
	}
	cut.NoteStop(nil, dir, cut.Seal{Made: at(100)}, at(142.5))
	cut.NoteStop(nil, dir, cut.Seal{Made: at(100)}, at(4000))
	if d := cut.TookStop(nil, dir); d != 42500*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	if d := cut.TookStop(nil, dir); d != 0 {
		t.Errorf("told twice: %v", d)
	}
	cut.NoteStop(nil, dir+"/unmounted", cut.Seal{Made: at(100)}, at(142.5))
	if _, err := os.Stat(dir + "/unmounted"); err == nil {
		t.Error("it made a folder below a mount point")
	}
}

func TestReady(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // of the error; empty: it is
	}{
		{"neither", nil, ""},
		{"systemd, enabled", map[string]string{"run/systemd/system/x": "", "etc/systemd/system/poweroff.target.wants/lastwatt-cut.service": ""}, ""},
		{"systemd, enabled by the package", map[string]string{"run/systemd/system/x": "", "usr/lib/systemd/system/poweroff.target.wants/lastwatt-cut.service": ""}, ""},
		{"systemd, only installed", map[string]string{"run/systemd/system/x": "", "usr/lib/systemd/system/lastwatt-cut.service": ""}, "systemctl enable lastwatt-cut.service"},
		{"sysvinit, with its script", map[string]string{"etc/init.d/halt": "", "etc/init.d/ups-monitor": "exec /usr/bin/upsmaster cut --late poweroff"}, ""},
		{"sysvinit, in the halt script", map[string]string{"etc/init.d/halt": "upsmaster cut --late halt"}, ""},
		{"sysvinit, with another's script", map[string]string{"etc/init.d/halt": "", "etc/init.d/ups-monitor": "upsdrvctl shutdown"}, "ups-monitor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range c.files {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := cut.Ready(root)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestWhatIsShippedIsWhatIsLookedFor holds the scripts of deploy against Ready.
func TestWhatIsShippedIsWhatIsLookedFor(t *testing.T) {
	for file, want := range map[string][]string{
		"systemd/lastwatt-cut.service": {
			"ExecStart=-/usr/bin/upsmaster cut\nExecStart=/usr/bin/upsmaster cut\n", "DefaultDependencies=no\n", "After=umount.target final.target\n", "Before=systemd-poweroff.service ",
			"WantedBy=poweroff.target halt.target\n", "TimeoutStartSec=infinity\n", "Type=oneshot\n",
		},
		"systemd/upsmaster.service": {"Also=lastwatt-cut.service\n"},
		"systemd-shutdown/lastwatt": {"upsmaster cut --late", "--within 80s", "poweroff | halt)"},
		"sysvinit/ups-monitor":      {"upsmaster cut --late poweroff", "poweroff)", "cat /run/sendsigs.omit.d/lastwatt-force-off"},
		// What test/vm found on a real machine: the sleep has to be spared too.
		"sysvinit/lastwatt-force-off": {"echo $$ $! >/run/sendsigs.omit.d/lastwatt-force-off", "echo ready\nif ! read -r go;"},
	} {
		text, err := os.ReadFile(filepath.Join("../../deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s lacks %q", file, w)
			}
		}
		st, err := os.Stat(filepath.Join("../../deploy", file))
		if script := strings.HasPrefix(string(text), "#!"); err != nil || script != (st.Mode()&0o100 != 0) {
			t.Errorf("%s: mode %v (%v)", file, st.Mode(), err)
		}
	}
}
