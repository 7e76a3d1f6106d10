//go:build unix

package trust

import "syscall"

// noFollow makes an open of a symbolic link fail (open(2)).
const noFollow = syscall.O_NOFOLLOW
