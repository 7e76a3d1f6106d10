package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type linux struct{}

func theSystem() system { return linux{} }

func (linux) ready(to netip.Addr) error { return carrier(to) }

// echo sends one echo, and another half way: the first may be lost to the kernel's own
// question for the hardware address.
func (linux) echo(ctx context.Context, to netip.Addr) (bool, error) {
	f, raw, err := open(to)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	token := make([]byte, 16)
	_, _ = rand.Read(token) // it never fails
	end := time.Now().Add(limit)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for _, by := range []time.Time{time.Now().Add(time.Until(end) / 2), end} {
		if err := f.SetDeadline(by); err != nil {
			return false, err
		}
		if _, err := f.Write(request(to.Is6(), token)); err != nil && !gone(err) {
			return false, err
		}
		switch yes, err := answered(f, to.Is6(), raw, token); {
		case yes:
			return true, nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !gone(err):
			return false, err
		case gone(err): // no use in asking again at once
			return false, nil
		case ctx.Err() != nil:
			return false, nil
		}
	}
	return false, nil
}

// answered reads until the answer comes.
func answered(f *os.File, v6, raw bool, token []byte) (bool, error) {
	b := make([]byte, 1500)
	for {
		n, err := f.Read(b)
		if err != nil {
			return false, err
		}
		if isReply(b[:n], v6, raw, token) {
			return true, nil
		}
	}
}

// gone reports whether an error says that nobody is there: the kernel, or a router,
// found no hardware address.
func gone(err error) bool {
	return errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EHOSTDOWN)
}

// open returns a socket for echoes with that machine: without privileges where
// net.ipv4.ping_group_range lets us, else raw, which needs CAP_NET_RAW (icmp(7), raw(7)).
func open(to netip.Addr) (f *os.File, raw bool, err error) {
	family, proto := unix.AF_INET, unix.IPPROTO_ICMP
	if to.Is6() {
		family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		raw = true
		if fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto); err != nil {
			return nil, false, fmt.Errorf("no socket for echoes: %w; run it as root, or let its group in by net.ipv4.ping_group_range", err)
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		_ = unix.Close(fd)
		return nil, false, err
	}
	return os.NewFile(uintptr(fd), "echo"), raw, nil
}

func sockaddr(to netip.Addr) unix.Sockaddr {
	if to.Is4() {
		return &unix.SockaddrInet4{Addr: to.As4()}
	}
	a := &unix.SockaddrInet6{Addr: to.As16()}
	if i, err := net.InterfaceByName(to.Zone()); err == nil {
		a.ZoneId = uint32(i.Index) //nolint:gosec // the kernel's are int32
	}
	return a
}

func (linux) rouse(to netip.Addr) error {
	c, err := net.Dial("udp", net.JoinHostPort(to.String(), "9")) // discard(9), RFC 863
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte{0}); err != nil && !gone(err) {
		return err
	}
	return nil
}

// userHZ is how many ticks of nda_cacheinfo a second has, on every architecture that Go
// knows (times(2), sysconf(_SC_CLK_TCK)).
const userHZ = 100

// Where things are in a struct ndmsg and a struct nda_cacheinfo: linux/neighbour.h.
const (
	ndmsgLen, ndmsgState = 12, 8
	confirmedAt          = 0
)

// neighbour looks through the kernel's table, which holds some hundreds at most: to ask
// for one alone needs a newer kernel.
func (linux) neighbour(of netip.Addr) (neighbour, error) {
	family := unix.AF_INET
	if of.Is6() {
		family = unix.AF_INET6
	}
	b, err := syscall.NetlinkRIB(unix.RTM_GETNEIGH, family)
	if err != nil {
		return neighbour{}, fmt.Errorf("cannot read the table of neighbours: %w", err)
	}
	all, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return neighbour{}, fmt.Errorf("cannot read the table of neighbours: %w", err)
	}
	zone := 0
	if i, err := net.InterfaceByName(of.Zone()); err == nil {
		zone = i.Index
	}
	var found neighbour
	for _, m := range all {
		if m.Header.Type != unix.RTM_NEWNEIGH || len(m.Data) < ndmsgLen {
			continue
		}
		if index := int(binary.NativeEndian.Uint32(m.Data[4:])); zone != 0 && index != zone {
			continue
		}
		// The same address may stand on two interfaces; one proof is enough.
		if n, is := parse(m.Data, of.WithZone("")); is && n.state > found.state {
			found = n
		}
	}
	return found, nil
}

// parse reads one entry, and reports whether it is about that machine.
func parse(m []byte, of netip.Addr) (n neighbour, is bool) {
	switch state := binary.NativeEndian.Uint16(m[ndmsgState:]); {
	case state&unix.NUD_REACHABLE != 0:
		n.state = proved
	case state&(unix.NUD_FAILED|unix.NUD_INCOMPLETE) != 0:
		n.state = missing
	case state&(unix.NUD_STALE|unix.NUD_DELAY|unix.NUD_PROBE) != 0:
		n.state = old
	}
	for a := m[ndmsgLen:]; len(a) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(a))
		if size < unix.SizeofRtAttr || size > len(a) {
			break
		}
		value := a[unix.SizeofRtAttr:size]
		switch binary.NativeEndian.Uint16(a[2:]) {
		case unix.NDA_DST:
			dst, ok := netip.AddrFromSlice(value)
			is = ok && dst == of
		case unix.NDA_CACHEINFO:
			if len(value) >= confirmedAt+4 {
				n.confirmed = time.Duration(binary.NativeEndian.Uint32(value[confirmedAt:])) * time.Second / userHZ
			}
		}
		a = a[min(len(a), (size+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1)):]
	}
	return n, is
}
