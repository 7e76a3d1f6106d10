package lan

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// hub is a switch in this process, in place of the kernel's bridge: it loses frames.
// tc's netem would do it too, but many kernels come without it.
type hub struct {
	loss         float64
	lost, passed atomic.Int64

	mu    sync.Mutex
	ports []*os.File
}

func newHub(t *testing.T, loss float64) *lan {
	inside(t)
	h := &hub{loss: loss}
	t.Cleanup(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, p := range h.ports {
			p.Close()
		}
	})
	return &lan{t: t, hub: h, subnet: 1}
}

// add connects a cable. Frames carry the kernel's own header, because cables leave
// checksums to whoever is at the end (packet(7), PACKET_VNET_HDR).
func (h *hub) add(t *testing.T, cable string) {
	ifi, err := net.InterfaceByName(cable)
	if err != nil {
		t.Fatal(err)
	}
	protocol := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL})
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []int{unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifi.Index}); err != nil {
		t.Fatal(err)
	}
	port := os.NewFile(uintptr(fd), cable)
	h.mu.Lock()
	h.ports = append(h.ports, port)
	h.mu.Unlock()
	go h.forward(port)
}

func (h *hub) forward(from *os.File) {
	frame := make([]byte, 70<<10)
	for {
		n, err := from.Read(frame)
		if err != nil {
			return
		}
		h.mu.Lock()
		for _, to := range h.ports {
			if to == from {
				continue
			}
			if rand.Float64() < h.loss {
				h.lost.Add(1)
				continue
			}
			h.passed.Add(1)
			_, _ = to.Write(frame[:n])
		}
		h.mu.Unlock()
	}
}
