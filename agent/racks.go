package agent

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/lastwatt/lastwatt/pkg/trust"
)

// rack is one rack that this node has joined: a master's name and the identity by
// which the two prove themselves to each other.
type rack struct {
	master  string
	id      trust.Identity
	removed atomic.Pointer[trust.Removed] // the keys that are let in no more
	saving  sync.Mutex                    // one save at a time, of the newest
}

func newRack(master string, id trust.Identity, removed trust.Removed) *rack {
	r := &rack{master: master, id: id}
	r.removed.Store(&removed)
	return r
}

// dialTLS returns how to prove this node to the master and have it prove itself.
func (r *rack) dialTLS() *tls.Config { return trust.DialTLS(r.id, trust.RoleMaster.ServerName()) }

// rackDir is where the identity for a master lies.
func rackDir(data, master string) string { return filepath.Join(data, "racks", master) }

// loadRacks reads every rack that was joined. One that can't be read is an error
// that names it, beside those that could: one broken file must not cost the other
// racks' protection.
func loadRacks(data string) ([]*rack, error) {
	dirs, err := os.ReadDir(filepath.Join(data, "racks"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the racks that this node joined: %w", err)
	}
	var racks []*rack
	var errs []error
	for _, d := range dirs {
		id, err := trust.LoadIdentity(rackDir(data, d.Name()))
		switch {
		case errors.Is(err, trust.ErrNotJoined):
			// A join that was cut short: nothing was promised.
		case err != nil:
			errs = append(errs, fmt.Errorf("cannot use the identity for rack %s: %w", d.Name(), err))
		default:
			removed, err := trust.LoadRemoved(rackDir(data, d.Name()))
			errs = append(errs, err)
			racks = append(racks, newRack(d.Name(), id, removed))
		}
	}
	return racks, errors.Join(errs...)
}

// cutOff adds keys to those that are let in no more. They hold at once; that they
// are on disk for the next start is not waited for.
func (a *Agent) cutOff(r *rack, keys []string) {
	next, grew, err := r.removed.Load().With(keys)
	if err != nil {
		a.log.Warn("cannot take the list of removed keys", "rack", r.master, "err", err)
		return
	}
	if !grew {
		return
	}
	r.removed.Store(&next)
	go func() {
		r.saving.Lock()
		defer r.saving.Unlock()
		if err := r.removed.Load().Save(rackDir(a.cfg.Data, r.master)); err != nil {
			a.log.Warn("a restart forgets the newest removed keys until the master tells them again", "rack", r.master, "err", err)
		}
	}()
}

// remember keeps the address that worked, for this run and the next. Writing is
// not waited for: a hanging disk must not cost contact.
func (a *Agent) remember(r *rack, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.good[r.master] == address {
		return
	}
	good := map[string]string{r.master: address}
	for m, addr := range a.good {
		if m != r.master {
			good[m] = addr
		}
	}
	a.good = good
	a.saver.Put(good)
}
