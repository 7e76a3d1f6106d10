package master

import (
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
)

// ports are the open ports that outlive a master: over a restart with the service
// manager, over a reload in this process. An open port is never opened anew, because
// that would pulse its lines (law 4).
type ports struct {
	log     *slog.Logger
	storeFD func(string, *os.File) error
	dropFD  func(string) error

	mu    sync.Mutex          // guards what follows
	open  map[string]*os.File // by "ups-NAME", not yet taken
	left  map[string]bool     // with the service manager, as far as is known
	moved []move
}

// move is an open port whose UPS has a new name.
type move struct {
	from, to string
	file     *os.File
}

// newPorts returns what the service manager passed at the start, or what the master
// before had open.
func newPorts(o Options) *ports {
	p := &ports{log: o.Log, storeFD: o.Store, dropFD: o.Drop, open: map[string]*os.File{}, left: map[string]bool{}}
	maps.Copy(p.open, o.Stored)
	for name := range o.Stored {
		p.left[name] = true
	}
	if o.Before != nil {
		before := o.Before.ports
		before.mu.Lock()
		defer before.mu.Unlock()
		maps.Copy(p.open, before.open)
		maps.Copy(p.left, before.left)
	}
	return p
}

// take returns the open port of that name if it is still the one at path, or the one
// at path under another name; nil: it has to be opened.
func (p *ports) take(name, path string) *os.File {
	want, err := os.Stat(path)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, have := range append([]string{name}, slices.Sorted(maps.Keys(p.open))...) {
		f := p.open[have]
		if f == nil {
			continue
		}
		if st, err := f.Stat(); err != nil || !os.SameFile(st, want) {
			continue
		}
		delete(p.open, have)
		if have != name {
			p.moved = append(p.moved, move{have, name, f})
		}
		return f
	}
	return nil
}

// store leaves a newly opened port with the service manager.
func (p *ports) store(name string, f *os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(name, f)
}

// leave is store; p.mu is held.
func (p *ports) leave(name string, f *os.File) {
	if p.storeFD == nil {
		return
	}
	if p.left[name] {
		p.drop(name) // of one name only the newest is wanted
	}
	if err := p.storeFD(name, f); err != nil {
		p.log.Warn("cannot leave the port with the service manager; a restart will open it anew", "port", name, "err", err)
		return
	}
	p.left[name] = true
}

// keep takes a port over that is still open when its watcher ends.
func (p *ports) keep(name string, f *os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.open[name]; old != nil {
		_ = old.Close()
	}
	p.open[name] = f
}

// dropOthers closes every port that no UPS has taken: an open tty would be held for
// ever; and has those of a UPS with a new name left under that. Called when all have
// been put together, and none has begun.
func (p *ports) dropOthers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, f := range p.open {
		p.log.Info("an open port is no UPS's any more; closing it", "port", f.Name(), "name", name)
		_ = f.Close()
		delete(p.open, name)
		p.drop(name)
	}
	for _, m := range p.moved {
		p.drop(m.from)
	}
	for _, m := range p.moved {
		p.leave(m.to, m.file)
	}
	p.moved = nil
}

// drop makes the service manager forget a port. p.mu is held.
func (p *ports) drop(name string) {
	delete(p.left, name)
	if p.dropFD == nil {
		return
	}
	if err := p.dropFD(name); err != nil {
		p.log.Warn("cannot take a port back from the service manager", "name", name, "err", err)
	}
}
