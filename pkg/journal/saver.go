package journal

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
)

// Saver owns a state file in a goroutine of its own. It is a task: nothing is
// written before Run. Put and Err may be called by anyone at any time and never
// block.
type Saver struct {
	disk disk
	fs   FS

	mu    sync.Mutex
	value json.RawMessage // newest not yet saved; nil: none
	last  json.RawMessage // newest of all; nil: none was Put
}

// SaverOptions are what a [Saver] works with.
type SaverOptions struct {
	// Path is the state file.
	Path string
	// Cost says what is lost while it can't be written, as in "a restart forgets the
	// countdown".
	Cost string
	// FS is where the file lies; nil: the real disk.
	FS FS
	// Log takes trouble and its end.
	Log *slog.Logger
}

// NewSaver returns a Saver that has not begun to run.
func NewSaver(o SaverOptions) *Saver {
	return &Saver{disk: newDisk(o.Path, o.Cost, o.Log), fs: orReal(o.FS)}
}

// String returns the task's name.
func (s *Saver) String() string { return "state file" }

// Run saves the newest value until ctx ends, and once more then if the disk takes
// it within 1 s.
func (s *Saver) Run(ctx context.Context) error {
	s.disk.run(ctx, s.flush, func() {})
	return nil
}

// Put takes the value to be saved; one that was not saved yet is forgotten. v is
// encoded before Put returns.
func (s *Saver) Put(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.disk.log.Error("cannot encode a state", "file", s.disk.path, "err", err)
		return
	}
	s.mu.Lock()
	s.value, s.last = data, data
	s.mu.Unlock()
	s.disk.poke()
}

// Inherit makes s go on where old was, whose Run has returned: Load gives what old
// was given last, whether or not a disk took it, and s saves it again.
func (s *Saver) Inherit(old *Saver) {
	old.mu.Lock()
	last := old.last
	old.mu.Unlock()
	if last != nil {
		s.Put(last)
	}
}

// Load reads the file into v, in the caller's goroutine and for as long as the
// disk takes: see the function [Load]. What was Put is newer, and needs no disk.
func (s *Saver) Load(v any) error {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil {
		return json.Unmarshal(last, v)
	}
	return loadOn(s.fs, s.disk.path, v)
}

// Err says what is wrong with the disk now, and what that costs; nil: nothing.
func (s *Saver) Err() error { return s.disk.trouble() }

func (s *Saver) flush() error {
	s.mu.Lock()
	v := s.value
	s.value = nil
	s.mu.Unlock()
	if v == nil {
		return nil
	}
	err := saveOn(s.fs, s.disk.path, v)
	if err != nil {
		s.mu.Lock()
		if s.value == nil {
			s.value = v // try again, unless there is a newer one
		}
		s.mu.Unlock()
	}
	return err
}
