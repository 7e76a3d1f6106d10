package master

import (
	"cmp"
	"net"
	"strconv"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/discovery"
)

// lan is how agents find this master, and how it sees those that announce
// themselves. Nil where mDNS is turned off. What it says is a hint, nothing more.
type lan struct {
	announcer *discovery.Announcer
	browser   *discovery.Browser
}

// newLAN announces the master under its name at the port of its address.
func (m *Master) newLAN() *lan {
	if !m.cfg.Discovery.MDNS {
		return nil
	}
	_, port, _ := net.SplitHostPort(m.cfg.Listen) // the configuration was checked
	n, _ := strconv.Atoi(port)
	return &lan{
		announcer: discovery.NewAnnouncer(discovery.Options{
			Service: discovery.Service{
				Kind: discovery.KindMaster, Name: m.cfg.Name, Port: n, Text: api.AnnounceText(m.version, "", true),
			},
			Interfaces: m.cfg.Discovery.Interfaces, Log: m.log,
		}),
		browser: discovery.NewBrowser(discovery.BrowserOptions{
			Kinds: []string{discovery.KindAgent}, Interfaces: m.cfg.Discovery.Interfaces, Log: m.log,
		}),
	}
}

// tasks returns what runs for it.
func (l *lan) tasks() []daemon.Task {
	if l == nil {
		return nil
	}
	return []daemon.Task{l.announcer, l.browser}
}

// trouble says why agents can't find this master, nil if they can.
func (l *lan) trouble() error {
	if l == nil {
		return nil
	}
	return cmp.Or(l.announcer.Err(), l.browser.Err())
}

// seen returns the agents that announce themselves now.
func (l *lan) seen() (s api.Seen) {
	if l == nil {
		return s
	}
	for _, i := range l.browser.Found() {
		s.Add(i.Name, i.Addresses, i.Text)
	}
	return s
}
