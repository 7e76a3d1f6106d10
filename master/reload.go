package master

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/trust"
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
		return errors.New("hooks are running")
	}
	if m.host != nil {
		return m.host.driver.Idle()
	}
	return nil
}

// Accepts says why this master could not be followed by one with c, though nothing is
// wrong with c by itself; nil: it could. It may wait for the disk.
func (m *Master) Accepts(c Config) error {
	if c.Data == m.cfg.Data || m.authority.Load() == nil {
		return nil
	}
	dir := filepath.Join(c.Data, "trust")
	_, err := os.Stat(dir) // opening would make new keys
	if err == nil {
		_, err = trust.OpenAuthority(dir, c.Name)
	}
	if err != nil {
		return fmt.Errorf("data: this rack's keys are not in %s as they should be, and no node would hear this master (%w); copy them from %s first", c.Data, err, m.cfg.Data)
	}
	return nil
}

// NotAdopted takes why the newest configuration is not the one that runs; nil: it
// is. It never blocks.
func (m *Master) NotAdopted(err error) {
	if err != nil {
		err = errors.New(config.Brief(err))
	}
	m.mu.Lock()
	m.trouble[health.ConfigNotAdopted] = err
	m.mu.Unlock()
	m.hub.look()
}

// inherit takes over from the master before what would have to be read from a disk,
// which may have broken since, and what people have been told.
func (m *Master) inherit(before *Master) {
	m.event("master/"+m.cfg.Name, "reload", "runs by a new configuration")
	m.tries = before.tries
	if m.host != nil && before.host != nil && m.host.name == before.host.name {
		m.nodeState.Inherit(before.nodeState)
	}
	if m.cfg.Name != before.cfg.Name {
		return
	}
	m.teller.inherit(before.teller)
	if m.cfg.Data != before.cfg.Data {
		return
	}
	m.alarms.Inherit(before.alarms)
	m.proving.saver.Inherit(before.proving.saver)
	if a := before.authority.Load(); a != nil {
		m.authority.Store(a)
		m.expectMembers()
	}
}

// goOn makes r go on where the runner of the same UPS was, as if nothing had happened
// in between: its port stayed open and means the same, so nobody was blind. Where the
// port has to be opened it was not, and is until it has been read.
func (m *Master) goOn(r *upsRunner, before *Master) {
	if before == nil || !r.sim && !r.held {
		return
	}
	for _, old := range before.runners {
		if old.name == r.name && reflect.DeepEqual(old.cfg, r.cfg) {
			r.q, r.flap, r.last, r.seen, r.read, r.off = old.q, old.flap, old.last, old.seen, old.read, old.off
			m.hub.goOn(before.hub, r.name)
		}
	}
}

// goOn makes h know of a UPS what old knew of it.
func (h *hub) goOn(old *hub, name string) {
	old.mu.Lock()
	defer old.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.ups {
		for _, u := range old.ups {
			if u.name == name && h.ups[i].name == name {
				h.ups[i] = u
			}
		}
	}
}

// inherit makes t go on telling where old, which has ended, was.
func (t *teller) inherit(old *teller) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.registry, t.ups, t.phases = old.registry, old.ups, old.phases
}
