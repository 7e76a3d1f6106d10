//go:build linux && (amd64 || arm64)

package vtty

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// TestDoor is for programs that somebody else starts: two after one another, the
// first still there.
func TestDoor(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "vtty") // a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tty := New(t)
	socket := filepath.Join(dir, "s")
	Door(socket, tty)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	byDoor := func() *program {
		argv := Argv(socket, self, tty.Node())
		return run(t, &exec.Cmd{Path: self, Args: argv})
	}
	p := byDoor()
	p.do("open", "ok")
	outputs(t, tty, both)
	p.do("set DTR", "ok")
	q := byDoor()
	q.do("open", "ok")
	outputs(t, tty, both)
	q.do("set RTS", "ok")
	p.do("get", line.RTS.String())
}
