package agent

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// Idle says why this agent may not be replaced now by one with a new configuration,
// nil if it may: this machine is not on its way down, and no UPS that it lives on was
// on battery when last seen.
func (a *Agent) Idle() error {
	feeds := a.cfg.Settings.Feeds
	for _, s := range a.allSessions() {
		s.mu.Lock()
		master, ups := s.master, s.ups
		s.mu.Unlock()
		for _, u := range ups {
			name, is := master+"/"+u.Name, u.State.Known()
			if is.OnBattery() && (len(feeds) == 0 || slices.Contains(feeds, name)) {
				return fmt.Errorf("%s is on battery (%s)", name, is)
			}
		}
	}
	if a.busy.Load() > 0 {
		return errors.New("a rack is being joined or left")
	}
	return a.driver.Idle()
}

// Accepts says why this agent could not be followed by one with c, though nothing is
// wrong with c by itself; nil: it could. It may wait for the disk.
func (a *Agent) Accepts(c Config) error {
	if c.Data == a.cfg.Data || len(a.allSessions()) == 0 {
		return nil
	}
	racks, err := loadRacks(c.Data)
	if err == nil && len(racks) == 0 {
		err = errors.New("there are none")
	}
	if err != nil {
		return fmt.Errorf("data: the racks that this node joined are not in %s as they should be, and nobody would tell it of a power failure (%w); copy them from %s first", c.Data, err, a.cfg.Data)
	}
	return nil
}

// NotAdopted takes why the newest configuration is not the one that runs; nil: it
// is. It never blocks.
func (a *Agent) NotAdopted(err error) {
	if err != nil {
		err = errors.New(config.Brief(err))
	}
	a.mu.Lock()
	a.trouble[health.ConfigNotAdopted] = err
	a.mu.Unlock()
	a.driver.LookAgain()
}

// inherit takes over from the agent before what would have to be read from a disk,
// which may have broken since.
func (a *Agent) inherit(before *Agent) {
	a.state.Inherit(before.state)
	if a.cfg.Data != before.cfg.Data {
		return
	}
	a.saver.Inherit(before.saver)
	a.alarms.Inherit(before.alarms)
	before.mu.Lock()
	defer before.mu.Unlock()
	had := before.sessions
	if !before.loaded {
		had = before.handed // it ended before it had begun
	}
	if !before.loaded && had == nil || before.trouble[health.Identity] != nil {
		return
	}
	a.good, a.handed = before.good, []*session{}
	for _, s := range had {
		a.handed = append(a.handed, newSession(a, s.rack))
	}
}
