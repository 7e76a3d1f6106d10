package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Pulse finds out whether a goroutine that never ends still answers. However often
// and by however many it is asked, one question at a time is under way: a goroutine
// that hangs is not buried under questions. It is safe for concurrent use.
type Pulse struct {
	// Name is what is asked, for people.
	Name string
	// Ask has the goroutine call answer, once, and returns at once.
	Ask func(answer func())

	mu      sync.Mutex    // guards waiting
	waiting chan struct{} // closed by the answer; nil: nothing is asked
}

// Check asks and waits for the answer, no longer than ctx.
func (p *Pulse) Check(ctx context.Context) error {
	select {
	case <-p.asked():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not answer", p.Name)
	}
}

// asked returns what the answer to the question under way will close.
func (p *Pulse) asked() <-chan struct{} {
	p.mu.Lock()
	c, first := p.waiting, p.waiting == nil
	if first {
		c = make(chan struct{})
		p.waiting = c
	}
	p.mu.Unlock()
	if first {
		p.Ask(func() {
			p.mu.Lock()
			p.waiting = nil
			p.mu.Unlock()
			close(c)
		})
	}
	return c
}

// Answering asks all of them side by side; its error names each that is silent until
// ctx ends.
func Answering(ctx context.Context, all ...*Pulse) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { errs[i] = p.Check(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
