package lan

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/wake"
)

// TestLaw07MagicPacketsAreOnTheWire: from a machine without privileges by UDP to the
// network's broadcast address and by IPv6, from one with them as a frame of its own, where
// nobody needs an address.
func TestLaw07MagicPacketsAreOnTheWire(t *testing.T) {
	l := newLAN(t)
	n := l.host()
	heard := listen(t)
	mac := net.HardwareAddr{2, 0, 0, 0xca, 0xfe, 1}
	awaitFrames(t, heard, mac, func() { n.tell(command{Wake: mac}) }, "udp4", "udp6")
	mac[5]++
	awaitFrames(t, heard, mac, func() {
		if err := wake.Send(context.Background(), []net.HardwareAddr{mac}); err != nil {
			t.Error(err)
		}
	}, "frame")
}

// listen delivers every frame that passes this namespace.
func listen(t *testing.T) <-chan []byte {
	t.Helper()
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		t.Fatal(err)
	}
	// A read that is woken now and then, so that it ends with the test.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	frames, over, ended := make(chan []byte, 1024), make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over); <-ended; _ = unix.Close(fd) })
	go func() {
		defer close(ended)
		buf := make([]byte, 9000)
		for {
			size, _, err := unix.Recvfrom(fd, buf, 0)
			select {
			case <-over:
				return
			default:
			}
			if err == nil {
				frames <- bytes.Clone(buf[:size])
			}
		}
	}()
	return frames
}

// awaitFrames has the packet that wakes mac sent, again and again because an IPv6 address
// needs a second to be one's own (RFC 4862 §5.4), until it has come in each of those forms.
func awaitFrames(t *testing.T, frames <-chan []byte, mac net.HardwareAddr, send func(), forms ...string) {
	t.Helper()
	packet, err := wake.Magic(mac)
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, f := range forms {
		missing[f] = true
	}
	late, again := time.After(patience), time.NewTicker(time.Second)
	defer again.Stop()
	send()
	for len(missing) > 0 {
		select {
		case <-again.C:
			send()
		case f := <-frames:
			if form := formOf(f, packet); form != "" {
				delete(missing, form)
			}
		case <-late:
			t.Fatalf("not on the wire: %v", missing)
		}
	}
}

// formOf returns how a frame carries packet to everybody; empty: it does not.
func formOf(frame, packet []byte) string {
	if len(frame) < 14 || !bytes.HasSuffix(frame, packet) {
		return ""
	}
	everybody := bytes.Equal(frame[:6], bytes.Repeat([]byte{0xff}, 6))
	switch kind := binary.BigEndian.Uint16(frame[12:14]); {
	case kind == 0x0842 && everybody:
		return "frame"
	case kind == unix.ETH_P_IP && everybody && frame[14+9] == unix.IPPROTO_UDP:
		return "udp4"
	case kind == unix.ETH_P_IPV6 && frame[0] == 0x33 && frame[1] == 0x33: // RFC 2464 §7
		return "udp6"
	}
	return ""
}
