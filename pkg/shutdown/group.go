package shutdown

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own, so that a signal to
// ours does not reach it and a kill reaches all its children.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
