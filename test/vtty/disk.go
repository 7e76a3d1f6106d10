//go:build linux && (amd64 || arm64)

package vtty

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Fault is what is wrong with a [Disk].
type Fault int

// What can be wrong with a disk. The zero value is nothing.
const (
	Full     Fault = iota + 1 // no new file, no byte more: ENOSPC
	ReadOnly                  // mounted read-only under the programs' feet: EROFS
	Hanging                   // no call comes back until the disk heals: a dead NFS server
)

// Disk is a folder that can be made full, read-only or hanging for the programs
// started by its Command, and for nobody else.
type Disk struct {
	tb  testing.TB
	dir string

	mu    sync.Mutex
	fault Fault
	hung  []*call
}

// NewDisk makes a disk of an existing folder. It is healthy.
func NewDisk(tb testing.TB, dir string) *Disk {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		tb.Fatalf("vtty: %v", err)
	}
	return &Disk{tb: tb, dir: dir}
}

// Command is [Command] for a program that is to see this disk, and the ports if
// there are any.
func (d *Disk) Command(ttys []*TTY, name string, args ...string) *exec.Cmd {
	d.tb.Helper()
	return command(d.tb, ttys, d, name, args)
}

// Break makes the disk fail in one way, from now on.
func (d *Disk) Break(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
	if f == Hanging {
		return
	}
	for _, c := range d.hung {
		c.pass()
	}
	d.hung = nil
}

// Heal makes the disk work again; what hung goes on.
func (d *Disk) Heal() { d.Break(0) }

// Hung returns how many calls have hung on the disk since it last healed.
func (d *Disk) Hung() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.hung)
}

// diskCall says how a call touches files.
type diskCall struct {
	fd    bool  // it names an open file, its first argument
	paths []int // else these arguments are directory descriptors, a path after each
	grows bool  // it needs room
	reads bool  // it changes nothing
}

// diskCalls are the calls that a disk's filter traps beside those that open.
func diskCalls() map[int]diskCall {
	return map[int]diskCall{
		unix.SYS_WRITE:      {fd: true, grows: true},
		unix.SYS_PWRITE64:   {fd: true, grows: true},
		unix.SYS_WRITEV:     {fd: true, grows: true},
		unix.SYS_FALLOCATE:  {fd: true, grows: true},
		unix.SYS_FTRUNCATE:  {fd: true},
		unix.SYS_FSYNC:      {fd: true, reads: true},
		unix.SYS_FDATASYNC:  {fd: true, reads: true},
		unix.SYS_GETDENTS64: {fd: true, reads: true},
		unix.SYS_MKDIRAT:    {paths: []int{0}, grows: true},
		unix.SYS_UNLINKAT:   {paths: []int{0}},
		unix.SYS_FCHMODAT:   {paths: []int{0}},
		unix.SYS_RENAMEAT:   {paths: []int{0, 2}},
		unix.SYS_RENAMEAT2:  {paths: []int{0, 2}},
		sysNewfstatat:       {paths: []int{0}, reads: true},
	}
}

// take answers c if the disk is broken and c is on it.
func (d *Disk) take(c *call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == 0 || !d.touched(c) {
		return false
	}
	if d.fault == Hanging {
		d.hung = append(d.hung, c)
		return true
	}
	errno := unix.ENOSPC
	if d.fault == ReadOnly {
		errno = unix.EROFS
	}
	what := diskCalls()[c.nr]
	if dirfd, path, flags, ok := c.opens(); ok {
		_, err := os.Lstat(c.absolute(dirfd, path))
		what.grows = flags&unix.O_CREAT != 0 && os.IsNotExist(err)
		what.reads = !what.grows && flags&unix.O_ACCMODE == unix.O_RDONLY
	}
	if what.reads || d.fault == Full && !what.grows {
		return false
	}
	c.done(errno)
	return true
}

// touched reports whether c is about a file on the disk.
func (d *Disk) touched(c *call) bool {
	if dirfd, path, _, ok := c.opens(); ok {
		return path != "" && d.has(c, dirfd, path)
	}
	what, ok := diskCalls()[c.nr]
	switch {
	case !ok:
		return false
	case what.fd:
		return d.holds(c.fileName(int32(c.args[0])))
	}
	for _, i := range what.paths {
		if path := c.readPath(c.args[i+1]); path != "" && d.has(c, int32(c.args[i]), path) {
			return true
		}
	}
	return false
}

// has reports whether what the caller means by path lies on the disk, or would.
func (d *Disk) has(c *call, dirfd int32, path string) bool {
	path = c.absolute(dirfd, path)
	if !strings.HasPrefix(path, "/proc/") {
		return d.holds(filepath.Clean(path))
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return err == nil && d.holds(filepath.Join(dir, filepath.Base(path)))
}

// holds reports whether a clean absolute path is on the disk.
func (d *Disk) holds(path string) bool {
	return path == d.dir || strings.HasPrefix(path, d.dir+"/")
}
