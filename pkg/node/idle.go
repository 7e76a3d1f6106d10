package node

import (
	"errors"
	"fmt"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// Idle says why this driver may not end now to make room for another, nil if it
// may. The other goes on by the state file; hooks that wait would be forgotten, and
// of a countdown nobody should have to ask whether it survived.
func (d *Driver) Idle() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.snapshot.View
	switch {
	case v.Phase != policy.Idle && v.Phase != policy.Held:
		return fmt.Errorf("%s is in %s", d.o.Name, v.Phase)
	case v.Power.State.Known().OnBattery():
		return fmt.Errorf("%s is on battery", d.o.Name)
	case d.hooking:
		return errors.New("hooks are running")
	default:
		return nil
	}
}

// busy reports whether hooks run or wait.
func (h *hookRuns) busy() bool {
	if h.queue > 0 {
		return true
	}
	select {
	case <-h.commit:
		return false
	default:
		return h.commit != nil
	}
}
