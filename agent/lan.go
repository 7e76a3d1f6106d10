package agent

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/discovery"
)

// srvLimit is how long the system's resolver may take.
const srvLimit = 3 * time.Second

// lan is how this node finds masters and is found. Nil where mDNS is turned off.
// What it says is a hint, nothing more.
type lan struct {
	announcer *discovery.Announcer // nil: the node's own service is turned off
	browser   *discovery.Browser
}

func (a *Agent) newLAN() *lan {
	if !a.cfg.Discovery.MDNS {
		return nil
	}
	l := &lan{browser: discovery.NewBrowser(discovery.BrowserOptions{
		Kinds: []string{discovery.KindMaster, discovery.KindAgent}, Interfaces: a.cfg.Discovery.Interfaces, Log: a.log,
	})}
	if a.cfg.Listen != "" {
		l.announcer = discovery.NewAnnouncer(discovery.Options{
			Service: a.service(), Interfaces: a.cfg.Discovery.Interfaces, Log: a.log,
		})
	}
	return l
}

// tasks returns what runs for it.
func (l *lan) tasks() []daemon.Task {
	switch {
	case l == nil:
		return nil
	case l.announcer == nil:
		return []daemon.Task{l.browser}
	default:
		return []daemon.Task{l.browser, l.announcer}
	}
}

// service is what this node announces.
func (a *Agent) service() discovery.Service {
	_, port, _ := net.SplitHostPort(a.cfg.Listen) // the configuration was checked
	n, _ := strconv.Atoi(port)
	all := a.allSessions()
	key := ""
	if len(all) > 0 {
		key = all[0].rack.id.Fingerprint()
	}
	return discovery.Service{
		Kind: discovery.KindAgent, Name: a.cfg.Name, Port: n, Text: api.AnnounceText(a.version, key, len(all) > 0),
	}
}

// announce tells the LAN what has changed about this node.
func (a *Agent) announce() {
	if a.lan != nil && a.lan.announcer != nil {
		a.lan.announcer.Set(a.service())
	}
}

// runFound lets every session without contact try again at once when somebody new
// is found: a master that moved must not wait for the next round.
func (a *Agent) runFound(ctx context.Context) error {
	for {
		select {
		case <-a.lan.browser.Changed():
		case <-ctx.Done():
			return nil
		}
		for _, s := range a.allSessions() {
			select {
			case s.hurry <- struct{}{}:
			default:
			}
		}
	}
}

// trouble says why this node can't find or be found, nil if it can.
func (l *lan) trouble() error {
	switch {
	case l == nil:
		return nil
	case l.announcer == nil:
		return l.browser.Err()
	default:
		return cmp.Or(l.announcer.Err(), l.browser.Err())
	}
}

// seen returns the agents that announce themselves now.
func (l *lan) seen() (s api.Seen) {
	if l == nil {
		return s
	}
	for _, i := range l.browser.Found() {
		if i.Kind == discovery.KindAgent {
			s.Add(i.Name, i.Addresses, i.Text)
		}
	}
	return s
}

// masters returns where masters announce themselves, those of that name first.
func (l *lan) masters(name string) []string {
	if l == nil {
		return nil
	}
	var named, others []string
	for _, i := range l.browser.Found() {
		if i.Kind != discovery.KindMaster {
			continue
		}
		for _, addr := range i.Addresses {
			if i.Name == name {
				named = append(named, addr.String())
			} else {
				others = append(others, addr.String())
			}
		}
	}
	return append(named, others...)
}

// lookFor returns where to look for a master: the last good address first, then
// what the configuration says, or who announces himself where it says nothing.
func (a *Agent) lookFor(ctx context.Context, master string) []string {
	a.mu.Lock()
	var all []string
	if good := a.good[master]; good != "" {
		all = append(all, good)
	}
	a.mu.Unlock()
	for _, m := range a.cfg.Masters {
		domain, srv := strings.CutPrefix(m, "srv:")
		if !srv {
			all = append(all, m)
			continue
		}
		limited, cancel := context.WithTimeout(ctx, srvLimit)
		found, err := discovery.LookupSRV(limited, domain)
		cancel()
		if err != nil {
			a.log.Debug("cannot look up the masters of a domain", "domain", domain, "err", err)
		}
		all = append(all, found...)
	}
	if len(a.cfg.Masters) == 0 {
		all = append(all, a.lan.masters(master)...)
	}
	var out []string
	for _, addr := range all {
		if !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}
