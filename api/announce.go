package api

import (
	"maps"
	"net/netip"
	"slices"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// The keys of what a daemon announces of itself. Nobody trusts any of it.
const (
	textVersion     = "version"
	textFingerprint = "key"
	textJoined      = "joined"
)

// AnnounceText returns what a daemon tells the LAN of itself, beside its name.
func AnnounceText(version, fingerprint string, joined bool) map[string]string {
	t := map[string]string{textVersion: version, textJoined: "no"}
	if joined {
		t[textJoined] = "yes"
	}
	if fingerprint != "" {
		t[textFingerprint] = fingerprint
	}
	return t
}

// Seen collects what daemons of one kind announce, by name: one may be heard on
// several interfaces. The zero value is ready.
type Seen struct{ nodes map[string]*upsv1.SeenNode }

// Add adds one announcement.
func (s *Seen) Add(name string, addresses []netip.AddrPort, text map[string]string) {
	if s.nodes == nil {
		s.nodes = map[string]*upsv1.SeenNode{}
	}
	n := s.nodes[name]
	if n == nil {
		n = &upsv1.SeenNode{Name: name}
		s.nodes[name] = n
	}
	for _, a := range addresses {
		if !slices.Contains(n.Addresses, a.String()) {
			n.Addresses = append(n.Addresses, a.String())
		}
	}
	n.Joined, n.Version, n.Fingerprint = text[textJoined] == "yes", text[textVersion], text[textFingerprint]
}

// Nodes returns all of them, sorted by name.
func (s *Seen) Nodes() []*upsv1.SeenNode {
	var out []*upsv1.SeenNode
	for _, name := range slices.Sorted(maps.Keys(s.nodes)) {
		out = append(out, s.nodes[name])
	}
	return out
}

// Addresses returns where one of them says that it listens.
func (s *Seen) Addresses(name string) []string { return s.nodes[name].GetAddresses() }
