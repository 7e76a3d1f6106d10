package shutdown

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// bootedFolder is there where systemd is init, and only there (sd_booted(3)).
	bootedFolder = "/run/systemd/system"
	// liftDropIn outranks every other drop-in of the target by its name: the last in
	// order of names wins, whatever folder it lies in (systemd.unit(5)).
	liftDropIn = "poweroff.target.d/zz-lastwatt-sealed.conf"
	liftText   = `# By upsmaster, while there is a seal: the power-off waits until every machine is off
# that lives on the UPS, and then for the battery or the mains.
[Unit]
JobTimeoutSec=infinity
JobTimeoutAction=none
`
)

// LiftJobTimeout lets the target poweroff.target of systemd take as long as it takes,
// until it is called again with on false or the machine is off: else its job timeout
// would end the power-off by force. Where systemd is not init there is nothing to do.
func LiftJobTimeout(ctx context.Context, run Runner, on bool) error {
	return liftIn(ctx, bootedFolder, run.OrReal(), on)
}

func liftIn(ctx context.Context, dir string, run Runner, on bool) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := setDropIn(filepath.Join(dir, liftDropIn), on); err != nil {
		return fmt.Errorf("cannot change the job timeout of poweroff.target: %w", err)
	}
	path, err := find("systemctl")
	if err != nil {
		return fmt.Errorf("cannot change the job timeout of poweroff.target: %w", err)
	}
	if out, err := run(ctx, Cmd{Argv: []string{path, "daemon-reload"}}); err != nil {
		return fmt.Errorf("cannot change the job timeout of poweroff.target: %w: %s", err, strings.TrimSpace(out))
	}
	return nil
}

// setDropIn writes or removes the drop-in. The folder lies in memory, so no more care is
// needed: what is torn is gone after a boot.
func setDropIn(path string, on bool) error {
	if !on {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // systemd's own folders are so
		return err
	}
	return os.WriteFile(path, []byte(liftText), 0o644) //nolint:gosec // and so are its units
}
