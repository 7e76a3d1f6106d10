package wake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// etherWake is the frame type of Wake-on-LAN (IEEE registry of Ethernet numbers).
const etherWake = 0x0842

// sendFrame sends packet as an Ethernet broadcast, which needs CAP_NET_RAW and no IP
// address on either side.
func sendFrame(i net.Interface, packet []byte) error {
	if len(i.HardwareAddr) != 6 {
		return fmt.Errorf("%s is no Ethernet", i.Name)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // 0: it hears nothing
	if err != nil {
		return fmt.Errorf("%s: no frames may be sent: %w", i.Name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	to := &unix.SockaddrLinklayer{Protocol: netOrder(etherWake), Ifindex: i.Index, Halen: 6}
	copy(to.Addr[:], bytes.Repeat([]byte{0xff}, 6))
	if err := unix.Sendto(fd, packet, 0, to); err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	return nil
}

// netOrder returns v as it lies in memory in network order (packet(7)), on this machine.
func netOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
