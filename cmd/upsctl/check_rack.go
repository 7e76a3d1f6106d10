package main

import (
	"strings"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/node"
)

// compare looks at what a file says of the UPSes of the masters whose files are there
// too.
func (f *checked) compare(all []*checked) {
	masters := map[string]*master.Config{}
	switch {
	case f.agent != nil:
		for _, other := range all {
			if other.master != nil {
				masters[other.master.Name] = other.master
			}
		}
		feeds(f.doc.Root(), f.agent.Settings, masters)
	case f.master != nil && f.master.Node != nil:
		masters[f.master.Name] = f.master
		feeds(f.doc.Root().Table("node"), f.master.Node.Settings, masters)
	case f.master != nil:
		f.doc.Root().Warn("node", -1, "nobody shuts this host down; write [node]")
	}
}

// feeds looks at the UPSes that a machine lives on, as far as the masters are known.
func feeds(t *config.Table, s node.Settings, masters map[string]*master.Config) {
	var mine []master.UPS
	for i, feed := range s.Feeds {
		name, ups, _ := strings.Cut(feed, "/")
		m := masters[name]
		if m == nil {
			continue // its file was not named
		}
		u, names := find(m, ups)
		if u == nil {
			t.Table("power").ErrorAt("feeds", i, "%s has no UPS %q; write one of %s", name, ups, strings.Join(names, ", "))
			continue
		}
		mine = append(mine, *u)
	}
	if len(s.Feeds) == 0 {
		for _, m := range masters {
			mine = append(mine, m.UPS...)
		}
		if len(mine) > 1 {
			t.Table("power").Warn("feeds", -1, "none is named and there are %d UPSes, so the first that fails counts; write those that feed this machine", len(mine))
		}
	}
	for _, u := range mine {
		if s.GraceBatLow && u.Port != master.SimPort && !u.Cable.HasLow() {
			t.Table("policy").Warn("grace", -1, "UPS %q can't say that its battery is low, so %s is waited instead; write a time", u.Name, config.FormatDuration(s.Grace))
		}
	}
}

// find returns the UPS of that name, nil if there is none, and the names of all.
func find(m *master.Config, name string) (*master.UPS, []string) {
	var names []string
	for i := range m.UPS {
		if m.UPS[i].Name == name {
			return &m.UPS[i], nil
		}
		names = append(names, m.Name+"/"+m.UPS[i].Name)
	}
	return nil, names
}
