package wake

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// wolinfo is struct ethtool_wolinfo (linux/ethtool.h).
type wolinfo struct {
	cmd       uint32
	supported uint32
	opts      uint32
	_         [8]byte // a password, and padding
}

// ifreqData is struct ifreq with a pointer (netdevice(7)).
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data *wolinfo
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// ethtoolWOL asks a card by what it can be woken, and with on has it listen for the magic
// packet besides. Both need CAP_NET_ADMIN (SIOCETHTOOL with ETHTOOL_GWOL, ETHTOOL_SWOL).
func ethtoolWOL(name string, on bool) (can, is uint32, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	info := &wolinfo{cmd: unix.ETHTOOL_GWOL}
	if err := ethtool(fd, name, info); err != nil {
		return 0, 0, err
	}
	if on && info.opts&wakeMagic == 0 {
		info.cmd, info.opts = unix.ETHTOOL_SWOL, info.opts|wakeMagic
		if err := ethtool(fd, name, info); err != nil {
			return 0, 0, err
		}
	}
	return info.supported, info.opts, nil
}

func ethtool(fd int, name string, info *wolinfo) error {
	req := ifreqData{data: info}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	return nil
}
