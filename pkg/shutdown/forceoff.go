package shutdown

import (
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// forceOff is the program that powers the machine off when a shutdown hangs, where init
// itself has no such limit (deploy/sysvinit/lastwatt-force-off). It need not be there.
const forceOff = "/usr/lib/lastwatt/force-off"

// forceAfter is how long a shutdown may take: as systemd is told by our poweroff.target.d.
const forceAfter = 10 * time.Minute

// outlive starts a program that goes on when this daemon ends, in a session of its own.
// It is started only when the power-off was accepted: nothing could take it back. That it
// is not there, or does not start, is no reason not to go.
func outlive(path string, after time.Duration) {
	cmd := exec.Command(path, strconv.Itoa(int(after/time.Second)))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // else it would stay a zombie while we live
	}
}
