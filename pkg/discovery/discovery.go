// Package discovery announces this machine's services on the LAN and finds those
// of others, by multicast DNS (RFC 6762) and DNS-SD (RFC 6763). It hides the
// sockets, the interfaces that come and go, and the packets.
//
// What it finds is a hint and nothing more: anybody on the LAN can say anything
// here, so an address from this package is only somewhere to dial, and who answers
// there has to prove it (law 8). Its memory is bounded whatever arrives, and names
// and texts that could reach a terminal as more than text are refused.
//
// An [Announcer] and a [Browser] are tasks: Run ends when its context does, and
// never before, whatever the network does. Their other methods may be called from
// any goroutine, before, during and after Run. The package starts no program,
// writes no file and trusts nobody.
package discovery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The kinds of service of a rack.
const (
	KindMaster = "_upsmaster._tcp"
	KindAgent  = "_upsagent._tcp"
)

// Bounds on what a LAN can make us keep.
const (
	maxInstances = 4096 // per Browser: four times the biggest fleet that was measured
	maxAddresses = 16   // per host and interface
	maxText      = 1024 // bytes of TXT; RFC 6763 §6.2 wants them below 1300, and a few hundred as a rule
	maxTTL       = 75 * time.Minute
	maxPacket    = 9000 // RFC 6762 §17
)

// ttl is how long others keep what we announce without hearing of us again. RFC
// 6762 §10 has 120 s for whatever names a host; and here presence is the message,
// so the pointer, for which it has 75 minutes, is no more patient.
const ttl = 120 * time.Second

// Service is what an [Announcer] announces.
type Service struct {
	Kind string // KindMaster or KindAgent
	Name string // the instance's name, 1 to 63 bytes of printable UTF-8
	Port int    // TCP port
	// Text is for people and for choosing whom to dial; nobody trusts it. A key is
	// printable ASCII without "=", key and value have 254 bytes at most.
	Text map[string]string
}

// Instance is a service that a [Browser] found on one interface. A service that is
// reachable by two interfaces is found twice.
type Instance struct {
	Kind      string
	Name      string           // printable UTF-8, never with control characters
	Host      string           // letters, digits, "-", "_" and "."
	Addresses []netip.AddrPort // sorted, IPv4 first, then global, then link-local IPv6 with its zone; never empty
	Text      map[string]string
	Interface string
}

// check says what keeps a service from being announced.
func (s Service) check() error {
	if !validKind(s.Kind) {
		return fmt.Errorf("cannot announce kind %q: it has to be like %q", s.Kind, KindMaster)
	}
	if !printable(s.Name) || len(s.Name) > maxLabel {
		return fmt.Errorf("cannot announce name %q: a name is 1 to %d bytes of printable text", s.Name, maxLabel)
	}
	if s.Port < 1 || s.Port > 65535 {
		return fmt.Errorf("cannot announce port %d of %s: a port is 1 to 65535", s.Port, s.Name)
	}
	_, err := encodeText(s.Text)
	return err
}

// LookupSRV asks the system's resolver for the masters of a domain, the records
// _upsmaster._tcp.DOMAIN, and returns them as HOST:PORT, best first.
func LookupSRV(ctx context.Context, domain string) ([]string, error) {
	return lookupSRV(ctx, net.DefaultResolver, domain)
}

func lookupSRV(ctx context.Context, r *net.Resolver, domain string) ([]string, error) {
	_, records, err := r.LookupSRV(ctx, "upsmaster", "tcp", domain)
	if len(records) == 0 && err != nil {
		return nil, fmt.Errorf("cannot look up %s.%s: %w", KindMaster, domain, err)
	}
	var out []string
	for _, srv := range records {
		host := strings.TrimSuffix(srv.Target, ".")
		if host == "" || srv.Port == 0 || !hostLike(host) || len(out) == maxAddresses {
			continue // RFC 2782: a target of "." says that there is none
		}
		out = append(out, net.JoinHostPort(host, strconv.Itoa(int(srv.Port))))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("cannot look up %s.%s: the domain names no master there", KindMaster, domain)
	}
	return out, nil
}
