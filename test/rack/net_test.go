//go:build linux && (amd64 || arm64)

package rack

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ip runs ip commands in the test's own network.
func ip(t testing.TB, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v\n%s", commands, err, out)
	}
}

// hear reads all frames that come by the bridge, until it is closed, and calls woken with
// the address of each magic packet, however it is wrapped.
func hear(t testing.TB, bridge string, woken func(net.HardwareAddr)) {
	t.Helper()
	card, err := net.InterfaceByName(bridge)
	if err != nil {
		t.Fatal(err)
	}
	all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL}) // in network order (packet(7))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: card.Index}); err != nil {
		t.Fatal(err)
	}
	tap := os.NewFile(uintptr(fd), bridge)
	t.Cleanup(func() { tap.Close() })
	go func() {
		frame := make([]byte, 70<<10)
		for {
			n, err := tap.Read(frame)
			if err != nil {
				return
			}
			if mac := magic(frame[:n]); mac != nil {
				woken(mac)
			}
		}
	}()
}

// magic returns whom a frame is to wake: six bytes of ones, and sixteen times its address
// (AMD, Magic Packet Technology, 1995).
func magic(frame []byte) net.HardwareAddr {
	ones := bytes.Repeat([]byte{0xff}, 6)
	for i := 0; i+6+16*6 <= len(frame); i++ {
		mac := frame[i+6 : i+12]
		if bytes.HasPrefix(frame[i:], ones) && bytes.Equal(frame[i+6:i+6+16*6], bytes.Repeat(mac, 16)) && !bytes.Equal(mac, ones) {
			return bytes.Clone(mac)
		}
	}
	return nil
}
