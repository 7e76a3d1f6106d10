package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// asleepStep is the smallest growth of the time asleep that is believed. Two
// clocks cannot be read at one moment, so the difference between them carries the
// scheduler's noise; a real suspend takes longer than this.
const asleepStep = 100 * time.Millisecond

// resumeStep is the time asleep that is worth telling.
const resumeStep = time.Second

// watchEvery is how often [Clock.Watch] looks. Go's timers stand still while the
// machine sleeps, so this is also how late a resume is noticed.
const watchEvery = time.Second

// Clock tells the time since this machine booted, time asleep included. It goes
// by Go's own monotonic clock plus the kernel's account of time asleep, so that
// it works in a testing/synctest bubble too. It is safe for concurrent use.
type Clock struct {
	start time.Time
	base  power.Uptime
	read  func() (time.Duration, bool) // time asleep since boot; false: no good reading

	mu     sync.Mutex
	first  time.Duration // time asleep when the clock was made
	asleep time.Duration // newest believed
}

// NewClock returns a clock that starts from the kernel's uptime.
func NewClock() *Clock { return newClock(bootUptime(), readAsleep) }

func newClock(base power.Uptime, read func() (time.Duration, bool)) *Clock {
	c := &Clock{start: time.Now(), base: base, read: read}
	if d, ok := read(); ok {
		c.first, c.asleep = d, d
	}
	return c
}

// Now returns the present moment. It never goes back.
func (c *Clock) Now() power.Uptime {
	return c.base.Add(time.Since(c.start) + c.Asleep())
}

// Asleep returns how long the machine has been suspended since the clock was made.
func (c *Clock) Asleep() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.read(); ok && d >= c.asleep+asleepStep {
		c.asleep = d
	}
	return c.asleep - c.first
}

// Watch returns a task that calls resumed, from its own goroutine, each time the
// machine has been suspended for more than a second, within a second of its
// waking up.
func (c *Clock) Watch(resumed func(asleep time.Duration)) Task {
	return Func("clock", func(ctx context.Context) error {
		t := time.NewTicker(watchEvery)
		defer t.Stop()
		last := c.Asleep()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-t.C:
			}
			if d := c.Asleep(); d-last >= resumeStep {
				resumed(d - last)
				last = d
			}
		}
	})
}
