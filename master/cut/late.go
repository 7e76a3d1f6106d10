package cut

import (
	"slices"
	"strings"
)

// Final reports whether what the system is going to is the end: its power off, or a
// halt. A reboot or a kexec is not: the load stays on.
func Final(to string) bool { return to == "poweroff" || to == "halt" }

// Going returns what systemd is going to by its jobs, as systemctl list-jobs prints
// them: "poweroff", "halt", "reboot" or another; empty: it stays up. It goes to one
// at a time; of several, the one that is no end.
func Going(jobs string) string {
	var to []string
	for text := range strings.Lines(jobs) {
		f := strings.Fields(text) // JOB UNIT TYPE STATE
		if len(f) < 3 || f[2] != "start" {
			continue
		}
		if name, ok := strings.CutSuffix(f[1], ".target"); ok && slices.Contains(ends(), name) {
			to = append(to, name)
		}
	}
	for _, name := range to {
		if !Final(name) {
			return name
		}
	}
	if len(to) == 0 {
		return ""
	}
	return to[0]
}

// ends are the targets by which a system ends (systemd.special(7)).
func ends() []string {
	return []string{"poweroff", "halt", "reboot", "kexec", "soft-reboot", "exit"}
}
