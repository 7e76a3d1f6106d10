package master

import (
	"maps"
	"slices"

	"github.com/lastwatt/lastwatt/pkg/health"
)

// problems returns what the master has to say of itself.
func (m *Master) problems() []health.Problem {
	var ps []health.Problem
	if m.host == nil {
		ps = append(ps, health.Problem{Name: health.NoNode, Text: "nobody shuts this host down: add [node] to master.toml"})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.trouble)) {
		if err := m.trouble[name]; err != nil {
			ps = append(ps, health.Problem{Name: name, Text: err.Error()})
		}
	}
	if err := m.seals.trouble(); err != nil && m.trouble[health.Seal] == nil {
		ps = append(ps, health.Problem{Name: health.Seal, Text: err.Error()})
	}
	if err := m.lan.trouble(); err != nil {
		ps = append(ps, health.Problem{Name: health.MDNS, Text: err.Error() + "; until then agents need this master's address, or set mdns = false in [discovery]"})
	}
	if err := m.alarms.Err(); err != nil {
		ps = append(ps, health.Problem{Name: health.AlarmUnsent, Text: err.Error()})
	}
	for _, err := range []error{m.journal.Err(), m.saver.Err(), m.proving.saver.Err(), m.recovery.saver.Err(), m.batteries.saver.Err()} {
		if err != nil {
			ps = append(ps, health.Problem{Name: health.Disk, Text: err.Error()})
		}
	}
	return ps
}
