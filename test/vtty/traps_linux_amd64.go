package vtty

import "golang.org/x/sys/unix"

// auditArch is this machine's AUDIT_ARCH_X86_64 (linux/audit.h).
const auditArch = 0xc000003e

// openCalls are the system calls that open a file by path.
var openCalls = []int{unix.SYS_OPEN, unix.SYS_OPENAT, unix.SYS_OPENAT2}

// sysOpen is open(2), which newer machines don't have.
const sysOpen = unix.SYS_OPEN

// sysNewfstatat is fstatat(2).
const sysNewfstatat = unix.SYS_NEWFSTATAT
