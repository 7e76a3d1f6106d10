package master

import (
	"fmt"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// Idle says why this master may not be replaced now by one with a new configuration,
// nil if it may: no UPS was on battery when last seen, and this host is not on its
// way down. A UPS that is blind, and was well before or never seen, is no reason: a
// wrong port could not be mended otherwise.
func (m *Master) Idle() error {
	for _, u := range m.hub.states() {
		if is := u.State.Known(); is.OnBattery() {
			return fmt.Errorf("ups %s is on battery (%s)", u.Name, is)
		}
	}
	if m.hooks.busy.Load() > 0 {
		return fmt.Errorf("hooks are running")
	}
	if m.host != nil {
		return m.host.driver.Idle()
	}
	return nil
}

// NotAdopted takes why the newest configuration is not the one that runs; nil: it
// is. It never blocks.
func (m *Master) NotAdopted(err error) {
	if err != nil {
		err = fmt.Errorf("%s; see what upsctl check says of the file, and reload when it is right", config.Brief(err))
	}
	m.mu.Lock()
	m.trouble[health.ConfigNotAdopted] = err
	m.mu.Unlock()
	m.hub.look()
}

// inherit takes over from the master before what would have to be read from a disk,
// which may have broken since, and what people have been told.
func (m *Master) inherit(before *Master) {
	m.tries = before.tries
	if m.host != nil && before.host != nil && m.host.name == before.host.name {
		m.nodeState.Inherit(before.nodeState)
	}
	if m.cfg.Name != before.cfg.Name {
		return
	}
	m.teller.inherit(before.teller)
	if a := before.authority.Load(); a != nil && m.cfg.Data == before.cfg.Data {
		m.authority.Store(a)
		m.expectMembers()
	}
}

// inherit makes t go on telling where old, which has ended, was.
func (t *teller) inherit(old *teller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.registry, t.ups, t.phases = old.registry, old.ups, old.phases
}
