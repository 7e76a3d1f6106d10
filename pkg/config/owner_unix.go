//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// strangers reports whether a file belongs to somebody else than root or this
// process's user, and to whom.
func strangers(st fs.FileInfo) (uid uint32, yes bool) {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return s.Uid, s.Uid != 0 && int(s.Uid) != os.Geteuid()
}
