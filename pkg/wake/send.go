package wake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// discardPort is where nobody listens (RFC 863): the card looks at the frame, not at
// the port.
const discardPort = 9

// Magic returns the packet by which a card is woken: six times 0xff and sixteen times its
// address (AMD, Magic Packet Technology, publication 20213).
func Magic(mac net.HardwareAddr) ([]byte, error) {
	if len(mac) != 6 {
		return nil, fmt.Errorf("cannot wake %q: a network card's address has 6 octets", mac)
	}
	return append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...), nil
}

// Send sends each card its packet, by every interface that is up: as a frame of its own
// where this process may, and as a UDP broadcast. It goes no further than this machine's
// own networks. Nil means that each packet went out somewhere.
func Send(ctx context.Context, macs []net.HardwareAddr) error {
	if len(macs) == 0 {
		return errors.New("cannot wake it: the addresses of its network cards are not known; it has to attach once")
	}
	all, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("cannot wake anybody: %w", err)
	}
	for _, mac := range macs {
		packet, err := Magic(mac)
		if err != nil {
			return err
		}
		if err := broadcast(ctx, all, packet); err != nil {
			return fmt.Errorf("cannot send the packet that wakes %s: %w", mac, err)
		}
	}
	return nil
}

// broadcast sends packet by all interfaces; nil: it left by one of them.
func broadcast(ctx context.Context, all []net.Interface, packet []byte) error {
	var errs []error
	sent := false
	note := func(err error) {
		errs = append(errs, err)
		sent = sent || err == nil
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		note(sendFrame(i, packet))
		for _, to := range targets(i) {
			note(sendUDP(ctx, to, packet))
		}
	}
	switch {
	case sent:
		return nil
	case len(errs) == 0:
		return errors.New("no network interface is up")
	default:
		return errors.Join(errs...)
	}
}

// targets are where a UDP packet reaches everybody on an interface's networks: each
// IPv4 network's last address (RFC 919), and IPv6's all nodes (RFC 4291 §2.7.1).
func targets(i net.Interface) []netip.AddrPort {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var out []netip.AddrPort
	six := false
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		switch {
		case err != nil:
		case p.Addr().Is4() && p.Bits() < 31: // a /31 has none (RFC 3021)
			out = append(out, netip.AddrPortFrom(last(p), discardPort))
		case p.Addr().Is6() && !six:
			six = true
			out = append(out, netip.AddrPortFrom(netip.IPv6LinkLocalAllNodes().WithZone(i.Name), discardPort))
		}
	}
	return out
}

// last returns the last address of an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(b)
}

// sendUDP sends one packet. Go allows broadcasts on every UDP socket.
func sendUDP(ctx context.Context, to netip.AddrPort, packet []byte) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", net.JoinHostPort(to.Addr().String(), strconv.Itoa(int(to.Port()))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Write(packet)
	return err
}
