package vtty

import "golang.org/x/sys/unix"

// auditArch is this machine's AUDIT_ARCH_AARCH64 (linux/audit.h).
const auditArch = 0xc00000b7

// openCalls are the system calls that open a file by path.
var openCalls = []int{unix.SYS_OPENAT, unix.SYS_OPENAT2}

// sysOpen is open(2), which this machine doesn't have.
const sysOpen = -1

// sysNewfstatat is fstatat(2).
const sysNewfstatat = unix.SYS_FSTATAT
