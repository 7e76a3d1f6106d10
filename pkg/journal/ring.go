package journal

import (
	"context"
	"sync"
)

// ringSize is how many entries are kept in memory for lookers-on: some outages'
// worth, about 100 KiB.
const ringSize = 512

// ring keeps the newest entries and wakes those who wait for more. It has a lock
// of its own, which is never held while anything else happens.
type ring struct {
	mu      sync.Mutex
	entries []Entry // the newest, oldest first
	end     int     // how many there have ever been; entries[len-1] is number end-1
	news    chan struct{}
	loaded  bool
}

func newRing() ring { return ring{news: make(chan struct{})} }

// add appends an entry and returns its number.
func (r *ring) add(e Entry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	if len(r.entries) >= 2*ringSize {
		r.entries = append([]Entry(nil), r.entries[len(r.entries)-ringSize:]...)
	}
	r.end++
	close(r.news)
	r.news = make(chan struct{})
	return r.end - 1
}

// preload puts what is on disk before what came since; once.
func (r *ring) preload(old []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded {
		return
	}
	r.loaded = true
	if room := max(0, ringSize-len(r.entries)); len(old) > room {
		old = old[len(old)-room:]
	}
	// Numbers given out already stay: the old ones count down from the first.
	r.entries = append(append([]Entry(nil), old...), r.entries...)
}

// numbered notes the Seq that entry i got on disk.
func (r *ring) numbered(i int, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := i - (r.end - len(r.entries)); k >= 0 {
		r.entries[k].Seq = seq
	}
}

// from returns the entries from number i on, the number after them, and a channel
// that is closed when there are more.
func (r *ring) from(i int) ([]Entry, int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := min(max(i-(r.end-len(r.entries)), 0), len(r.entries))
	return append([]Entry(nil), r.entries[k:]...), r.end, r.news
}

func (r *ring) follow(ctx context.Context, last int, follow bool, fn func(Entry) error) error {
	r.mu.Lock()
	at := r.end - min(last, ringSize)
	r.mu.Unlock()
	for {
		batch, next, news := r.from(at)
		for _, e := range batch {
			if err := fn(e); err != nil {
				return err
			}
		}
		if at = next; !follow {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}
