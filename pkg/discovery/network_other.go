//go:build !linux

package discovery

import (
	"errors"
	"log/slog"
	"net/netip"
)

// nothing is the network of a system that this package has no sockets for. Its
// users name their addresses, or a domain for SRV.
type nothing struct{}

func openNetwork([]string, *slog.Logger) network { return nothing{} }

func (nothing) links() []link            { return nil }
func (nothing) packets() <-chan packet   { return nil }
func (nothing) changed() <-chan struct{} { return nil }
func (nothing) close()                   {}

func (nothing) send(path, netip.AddrPort, []byte) error { return errors.ErrUnsupported }

func (nothing) problem() error {
	return errors.New("cannot use mDNS on this system: write addresses, or srv:DOMAIN")
}
