package cut

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unitName is the late unit, as deploy/systemd has it.
const unitName = "lastwatt-cut.service"

// Ready returns nil if this system would run the late unit at a power-off, else what
// is missing. root is where the system's files are, "/" but in a test. A system that
// is neither systemd's nor sysvinit's can't be asked: nil.
func Ready(root string) error {
	if exists(root, "run/systemd/system") { // sd_booted(3)
		for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
			if exists(root, dir, "systemd/system/poweroff.target.wants", unitName) {
				return nil
			}
		}
		return fmt.Errorf("%s is not enabled, so nothing would cut the load: systemctl enable %s", unitName, unitName)
	}
	if !exists(root, "etc/init.d/halt") {
		return nil
	}
	for _, script := range []string{"ups-monitor", "halt"} {
		text, err := os.ReadFile(filepath.Join(root, "etc/init.d", script))
		if err == nil && strings.Contains(string(text), "upsmaster cut") {
			return nil
		}
	}
	return errors.New("no script of /etc/init.d runs upsmaster cut, so nothing would cut the load: install deploy/sysvinit/ups-monitor there")
}

func exists(path ...string) bool {
	_, err := os.Lstat(filepath.Join(path...))
	return err == nil
}
