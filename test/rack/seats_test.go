//go:build linux && (amd64 || arm64)

package rack

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	// inotifies is how many instances of inotify a machine has. Linux gives a user 128
	// unless it is told otherwise (inotify(7)), and a systemd that gets none doesn't boot.
	inotifies = 7
	// machinesMost is how many machines run at once where Linux sets no limit.
	machinesMost = 24
)

// places are the machines that may run at once, in all racks.
type places struct {
	mu    sync.Mutex
	freed *sync.Cond
	free  int
	queue []int // how many minutes each test takes that waits
}

// seats are this run's places.
var seats = newPlaces()

func newPlaces() *places {
	p := &places{free: machinesMost}
	p.freed = sync.NewCond(&p.mu)
	text, _ := os.ReadFile("/proc/sys/fs/inotify/max_user_instances") // nothing is no limit
	if limit, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		p.free = min(p.free, limit/inotifies)
	}
	return p
}

// sit waits for places for a rack, until its test ends. Who takes longest comes first, so
// that nothing long is left to the end.
func (p *places) sit(t testing.TB, machines, minutes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, minutes)
	for p.free < machines || minutes < slices.Max(p.queue) {
		p.freed.Wait()
	}
	i := slices.Index(p.queue, minutes)
	p.queue = slices.Delete(p.queue, i, i+1)
	p.free -= machines
	p.freed.Broadcast()
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free += machines
		p.freed.Broadcast()
	})
}
