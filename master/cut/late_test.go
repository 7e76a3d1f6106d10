package cut_test

import (
	"errors"
	"strings"
	"testing"

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
