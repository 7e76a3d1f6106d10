//go:build linux && (amd64 || arm64)

package vtty

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// read copies len(buf) bytes at addr out of the caller's memory.
func (c *call) read(addr uint64, buf []byte) unix.Errno {
	local := []unix.Iovec{{Base: &buf[0]}}
	local[0].SetLen(len(buf))
	n, err := unix.ProcessVMReadv(c.tid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(buf)}}, 0)
	if err != nil || n != len(buf) {
		return unix.EFAULT
	}
	return 0
}

// write copies buf to addr in the caller's memory.
func (c *call) write(addr uint64, buf []byte) unix.Errno {
	local := []unix.Iovec{{Base: &buf[0]}}
	local[0].SetLen(len(buf))
	n, err := unix.ProcessVMWritev(c.tid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(buf)}}, 0)
	if err != nil || n != len(buf) {
		return unix.EFAULT
	}
	return 0
}

// readInt reads the int at addr; writeInt writes it.
func (c *call) readInt(addr uint64) (int32, unix.Errno) {
	var buf [4]byte
	errno := c.read(addr, buf[:])
	return int32(binary.NativeEndian.Uint32(buf[:])), errno
}

func (c *call) writeInt(addr uint64, v int32) unix.Errno {
	return c.write(addr, binary.NativeEndian.AppendUint32(nil, uint32(v)))
}

// readPath reads the path at addr, page by page: what follows its end may not be
// mapped. It returns "" for what isn't a path.
func (c *call) readPath(addr uint64) string {
	const page = 4096 // the smallest page of any machine
	var path []byte
	for len(path) < unix.PathMax {
		buf := make([]byte, page-addr%page)
		if c.read(addr, buf) != 0 {
			return ""
		}
		if i := bytes.IndexByte(buf, 0); i >= 0 {
			return string(append(path, buf[:i]...))
		}
		path = append(path, buf...)
		addr += uint64(len(buf))
	}
	return ""
}

// proc is the caller's directory in /proc.
func (c *call) proc(rest string) string { return "/proc/" + strconv.Itoa(c.tid) + "/" + rest }

// statFile looks at what the caller's file descriptor fd is.
func (c *call) statFile(fd int32, st *unix.Stat_t) error {
	return unix.Stat(c.proc("fd/"+strconv.Itoa(int(fd))), st)
}

// statPath looks at what the caller means by path, relative to dirfd, without
// opening it.
func (c *call) statPath(dirfd int32, path string, st *unix.Stat_t) error {
	if path == "" {
		return unix.ENOENT
	}
	return unix.Stat(c.absolute(dirfd, path), st)
}

// absolute returns a path by which the test finds what the caller means by path.
func (c *call) absolute(dirfd int32, path string) string {
	for _, self := range []string{"/proc/self/", "/proc/thread-self/"} {
		if rest, ok := strings.CutPrefix(path, self); ok {
			return c.proc(rest)
		}
	}
	switch {
	case strings.HasPrefix(path, "/") && c.board.away: // links in it aside
		return c.proc("root" + path)
	case strings.HasPrefix(path, "/"):
		return path
	case dirfd == unix.AT_FDCWD:
		return c.proc("cwd/" + path)
	default:
		return c.proc(fmt.Sprintf("fd/%d/%s", dirfd, path))
	}
}

// fileName returns the path of the caller's open file fd, "" if it has none.
func (c *call) fileName(fd int32) string {
	name, err := os.Readlink(c.proc("fd/" + strconv.Itoa(int(fd))))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(name, " (deleted)")
}

// status returns the fields of the caller's /proc status that are asked for.
func (c *call) status(keys ...string) []string {
	out := make([]string, len(keys))
	data, err := os.ReadFile(c.proc("status"))
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		for i, k := range keys {
			if name == k {
				out[i] = strings.TrimSpace(value)
			}
		}
	}
	return out
}

// pid returns the caller's process.
func (c *call) pid() int {
	n, _ := strconv.Atoi(c.status("Tgid")[0]) // 0 when it is gone
	return n
}

// admin reports whether the caller may open a port that is held exclusively.
func (c *call) admin() bool {
	const capSysAdmin = 21 // linux/capability.h
	caps, _ := strconv.ParseUint(c.status("CapEff")[0], 16, 64)
	return caps>>capSysAdmin&1 == 1
}
