package memrack

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// Disk is a machine's disk in memory. It keeps apart what programs see and what is
// there after the power was cut: of a file what was synced, and a part of what came
// after; of a name whether it was given, if its folder was not synced since. It may be
// used by anyone at any time, and must be made in the bubble that it is used in.
//
// Its faults stay until they are taken back, over a crash too. An operation that finds
// the disk hanging has already been done in memory, as a write into the page cache is;
// only a sync has not. It ends when the disk works again or the program is killed.
type Disk struct {
	mu       sync.Mutex // never held while anybody waits
	names    map[string]*inode
	lasting  map[string]*inode // the names that a crash leaves
	moves    []move            // of the names, since their folders were synced
	full     bool
	readOnly bool
	free     chan struct{} // closed when it hangs no more; nil: it doesn't
	killed   chan struct{} // closed when the programs that run now are killed
}

// inode is a file, whatever its name.
type inode struct {
	data    []byte
	lasting []byte   // of the last sync
	changes []change // since
}

// change cuts a file off at a size and adds to it.
type change struct {
	size int
	add  []byte
}

// move gives a file another name: no from, it is new; no to, it is removed.
type move struct {
	from, to string
	file     *inode
}

func (m move) in(dir string) bool {
	return m.from != "" && filepath.Dir(m.from) == dir || m.to != "" && filepath.Dir(m.to) == dir
}

// NewDisk returns an empty disk that works.
func NewDisk() *Disk {
	return &Disk{names: map[string]*inode{}, lasting: map[string]*inode{}, killed: make(chan struct{})}
}

// FS returns the disk as a program sees it that is started now, until it is killed.
func (d *Disk) FS() journal.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return program{d: d, killed: d.killed}
}

// Fill makes the disk full: it takes half of the next write, and no new file.
func (d *Disk) Fill(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = on
}

// ReadOnly makes every change an error, as a file system does that found a damage.
func (d *Disk) ReadOnly(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readOnly = on
}

// Hang makes every operation but closing wait until Hang(false) or the program's end.
func (d *Disk) Hang(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case on && d.free == nil:
		d.free = make(chan struct{})
	case !on && d.free != nil:
		close(d.free)
		d.free = nil
	}
}

// Kill ends the programs that run now, for the disk: what they do from here on fails
// at once and changes nothing, and who waits for a disk that hangs waits no more. What
// they have written stays. Call it before a killed daemon's tasks are cancelled.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
}

func (d *Disk) kill() {
	close(d.killed)
	d.killed = make(chan struct{})
}

// Crash cuts the machine's power: it kills, and of what was not synced it leaves what r
// draws. A run folder is no disk: see [Disk.Wipe].
func (d *Disk) Crash(r *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
	for _, m := range d.moves {
		if r.IntN(2) == 0 {
			m.last(d.lasting)
		}
	}
	d.moves = nil
	d.names = maps.Clone(d.lasting)
	for _, path := range slices.Sorted(maps.Keys(d.names)) { // by seed, so in order
		d.names[path].tear(r)
	}
}

// last makes a move in what a crash leaves. The moves before it may not be there.
func (m move) last(names map[string]*inode) {
	maps.DeleteFunc(names, func(_ string, f *inode) bool { return f == m.file })
	if m.to != "" {
		names[m.to] = m.file
	}
}

// tear leaves what was synced, some of the changes after it, and a part of the next.
func (f *inode) tear(r *rand.Rand) {
	data := f.lasting
	if len(f.changes) > 0 {
		n := r.IntN(len(f.changes) + 1)
		for _, c := range f.changes[:n] {
			data = append(data[:c.size:c.size], c.add...)
		}
		if n < len(f.changes) && len(f.changes[n].add) > 0 {
			c := f.changes[n]
			data = append(data[:c.size:c.size], c.add[:r.IntN(len(c.add)+1)]...)
		}
	}
	f.data = data
	f.sync()
}

func (f *inode) sync() {
	f.lasting, f.changes = f.data, nil // what is added lies behind it
}

// Wipe removes a folder with all that is in it, for good. At a machine's start that is
// what becomes of its run folder, which lies in memory.
func (d *Disk) Wipe(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inside := func(path string) bool { return strings.HasPrefix(path, filepath.Clean(dir)+string(filepath.Separator)) }
	for _, names := range []map[string]*inode{d.names, d.lasting} {
		maps.DeleteFunc(names, func(path string, _ *inode) bool { return inside(path) })
	}
	d.moves = slices.DeleteFunc(d.moves, func(m move) bool { return inside(m.from) || inside(m.to) })
}

// ReadFile returns what a program would read, whatever the disk's faults.
func (d *Disk) ReadFile(path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.names[filepath.Clean(path)]
	if !ok {
		return nil, pathError("open", path, errNotThere)
	}
	return slices.Clone(f.data), nil
}

// ReadJournal is [journal.Read] for a journal on this disk, whatever the disk's faults.
func (d *Disk) ReadJournal(path string, fn func(journal.Entry) error) error {
	return journal.NewWriter(journal.WriterOptions{Path: path, FS: program{d: d, above: true}}).Read(fn)
}
