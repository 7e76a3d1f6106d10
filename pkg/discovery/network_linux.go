package discovery

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// rescan is how often interfaces are looked at though the kernel reports nothing,
	// and a socket that could not be opened is tried again.
	rescan = 5 * time.Second
	// settle lets the burst of reports that one change makes end first.
	settle = 50 * time.Millisecond
	// readBuffer holds the answers of a whole fleet that was asked at once: a
	// datagram costs the kernel about 770 bytes. Without CAP_NET_ADMIN it is what
	// net.core.rmem_max allows, 208 KiB as a rule: enough for 1000 that wait their
	// 20 to 120 ms.
	readBuffer = 4 << 20
	// What one path may make us read. A fleet of a thousand that answers at once is
	// a burst; what goes on is a flood, and the kernel drops it.
	burst, perSecond = 4096, 2000
)

// sockets is the network of this machine: one socket for each family on each
// interface, bound to the group's address. Bound to the wildcard it would take a
// share of the unicast answers that are meant for another responder on this host.
type sockets struct {
	names []string
	log   *slog.Logger
	stop  context.CancelFunc
	ctx   context.Context
	tasks sync.WaitGroup
	in    chan packet
	wake  chan struct{}

	mu     sync.Mutex
	up     []link
	open   map[path]net.PacketConn
	failed map[path]error
}

func openNetwork(names []string, log *slog.Logger) network {
	ctx, stop := context.WithCancel(context.Background())
	s := &sockets{
		names: names, log: log, ctx: ctx, stop: stop, in: make(chan packet, 64), wake: make(chan struct{}, 1),
		open: map[path]net.PacketConn{}, failed: map[path]error{},
	}
	reports := make(chan struct{}, 1)
	// Before the first look, so that no change falls in between.
	if f, err := openReports(); err != nil {
		log.Warn("cannot hear of interfaces that come and go: looking every few seconds", "err", err)
	} else {
		context.AfterFunc(ctx, func() { _ = f.Close() })
		s.tasks.Go(func() { readReports(f, reports) })
	}
	s.scan()
	s.tasks.Go(func() { s.watch(reports) })
	return s
}

func (s *sockets) packets() <-chan packet   { return s.in }
func (s *sockets) changed() <-chan struct{} { return s.wake }

func (s *sockets) links() []link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.up)
}

func (s *sockets) problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		return nil
	}
	for _, err := range s.failed {
		return err
	}
	return errors.New("no interface can be used: none is up that has an address and speaks multicast")
}

func (s *sockets) close() {
	s.stop()
	s.mu.Lock()
	for _, c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

func (s *sockets) send(p path, to netip.AddrPort, data []byte) error {
	s.mu.Lock()
	conn := s.open[p]
	s.mu.Unlock()
	if conn == nil {
		return net.ErrClosed
	}
	if !to.IsValid() {
		if to = netip.AddrPortFrom(netip.AddrFrom4(group4), port); p.v6 {
			to = netip.AddrPortFrom(netip.AddrFrom16(group6), port)
		}
	}
	_, err := conn.WriteTo(data, net.UDPAddrFromAddrPort(to))
	return err
}

// watch keeps the sockets as the interfaces are.
func (s *sockets) watch(reports <-chan struct{}) {
	timer := time.NewTimer(rescan)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-reports:
			timer.Reset(settle)
			continue
		case <-timer.C:
		}
		timer.Reset(rescan)
		if s.scan() {
			poke(s.wake)
		}
	}
}

// scan looks at the interfaces, opens and closes sockets, and says whether anything
// has changed.
func (s *sockets) scan() bool {
	up, err := usable(s.names)
	if err != nil {
		s.log.Warn("cannot list the interfaces", "err", err)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	changed := !slices.EqualFunc(up, s.up, func(a, b link) bool {
		return a.index == b.index && a.name == b.name && slices.Equal(a.prefixes, b.prefixes)
	})
	s.up = up
	want := map[path]link{}
	for _, l := range up {
		for _, p := range l.paths() {
			want[p] = l
		}
	}
	for p, c := range s.open {
		if _, ok := want[p]; !ok {
			c.Close()
			delete(s.open, p)
		}
	}
	for p := range s.failed {
		if _, ok := want[p]; !ok {
			delete(s.failed, p)
		}
	}
	for p, l := range want {
		if s.open[p] != nil {
			continue
		}
		conn, err := openPath(p)
		if err != nil {
			err = fmt.Errorf("cannot listen for mDNS on %s: %w", l.name, err)
			if s.failed[p] == nil {
				s.log.Warn("no discovery by this interface", "interface", l.name, "ipv6", p.v6, "err", err)
			}
			s.failed[p] = err
			continue
		}
		delete(s.failed, p)
		s.open[p], changed = conn, true
		s.tasks.Go(func() { s.read(p, conn) })
	}
	return changed
}

// read hands on what arrives until the socket is closed, or fails: then the next
// scan opens another.
func (s *sockets) read(p path, conn net.PacketConn) {
	buf := make([]byte, maxPacket+1)
	allowed, last := float64(burst), time.Now()
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			conn.Close()
			s.mu.Lock()
			if s.open[p] == conn {
				delete(s.open, p)
			}
			s.mu.Unlock()
			return
		}
		udp, ok := from.(*net.UDPAddr)
		if !ok || n > maxPacket {
			continue
		}
		select {
		case s.in <- packet{path: p, from: udp.AddrPort(), data: slices.Clone(buf[:n])}:
		case <-s.ctx.Done():
			return
		}
		now := time.Now()
		allowed, last = min(allowed+now.Sub(last).Seconds()*perSecond, burst)-1, now
		if allowed < 1 {
			select {
			case <-time.After(time.Second / 10):
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// usable lists the interfaces to speak on, by index.
func usable(names []string) ([]link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []link
	for _, ifi := range all {
		// Running is the carrier: a cable that was out is a reason to say all again.
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagRunning == 0 {
			continue
		}
		if len(names) > 0 && !slices.Contains(names, ifi.Name) {
			continue
		}
		if len(names) == 0 && (ifi.Flags&net.FlagMulticast == 0 || ifi.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0) {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it went in this moment
		}
		l := link{index: ifi.Index, name: ifi.Name, loopback: ifi.Flags&net.FlagLoopback != 0}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, _ := netip.AddrFromSlice(ipnet.IP)
			ones, _ := ipnet.Mask.Size()
			if p := netip.PrefixFrom(addr.Unmap(), ones); p.IsValid() {
				l.prefixes = append(l.prefixes, p)
			}
		}
		slices.SortFunc(l.prefixes, func(a, b netip.Prefix) int { return a.Compare(b) })
		if len(l.prefixes) > 0 {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b link) int { return cmp.Compare(a.index, b.index) })
	return out, nil
}

// openPath opens a socket that hears the group on one interface, and nothing else.
// It needs no privilege.
func openPath(p path) (net.PacketConn, error) {
	family, group := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: port, Addr: group4})
	if p.v6 {
		// A link-local group has a scope, so the socket is bound to the interface too.
		family, group = unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: group6, ZoneId: uint32(p.index)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "mdns")
	defer f.Close() // FilePacketConn has a copy
	if err := setOptions(fd, p); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, group); err != nil {
		return nil, fmt.Errorf("%w: another program has port %d for itself alone", os.NewSyscallError("bind", err), port)
	}
	return net.FilePacketConn(f)
}

// setOptions: shared port, all sending and receiving by one interface, hop limit 255
// (RFC 6762 §11), and nothing that another socket of this host asked for (ip(7) and
// ipv6(7), IP_MULTICAST_ALL).
func setOptions(fd int, p path) error {
	var errs []error
	set := func(level, option, value int) {
		errs = append(errs, unix.SetsockoptInt(fd, level, option, value))
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, readBuffer) != nil {
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, readBuffer)
	}
	if p.v6 {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255)
		set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, p.index)
		mreq := &unix.IPv6Mreq{Multiaddr: group6, Interface: uint32(p.index)}
		errs = append(errs, unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq))
		return errors.Join(errs...)
	}
	set(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
	set(unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 255)
	set(unix.IPPROTO_IP, unix.IP_TTL, 255)
	set(unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 1)
	// In network order, unlike its IPv6 twin's value.
	set(unix.IPPROTO_IP, unix.IP_UNICAST_IF, int(int32(binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, uint32(p.index))))))
	mreq := &unix.IPMreqn{Multiaddr: group4, Ifindex: int32(p.index)}
	errs = append(errs, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq))
	errs = append(errs, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq))
	return errors.Join(errs...)
}

// openReports opens a socket on which the kernel tells that an interface or an
// address came or went (rtnetlink(7)).
func openReports() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// readReports reads reports, which say no more than "look", until f is closed.
func readReports(f *os.File, reports chan<- struct{}) {
	buf := make([]byte, 64<<10)
	for {
		_, err := f.Read(buf)
		if err != nil && !errors.Is(err, unix.ENOBUFS) { // that is: some were lost
			return
		}
		poke(reports)
	}
}
