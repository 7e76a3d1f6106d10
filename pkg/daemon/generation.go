package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrReload is the cause of a cancellation by which one generation makes room for
// the next.
var ErrReload = errors.New("the configuration is replaced")

// Generation is what runs by one configuration.
type Generation struct {
	Tasks []Task
	// Idle says why the generation may not be replaced now; nil: it may. It is asked
	// again and again, and must not block. Nil: any time will do.
	Idle func() error
	// NotAdopted is told why the newest configuration is not the one that runs, and
	// nil when that is over. It must not block. Nil: the log alone is told.
	NotAdopted func(error)
}

// running is a generation whose tasks have begun.
type running[C any] struct {
	config C
	gen    Generation
	since  time.Time
	end    context.CancelCauseFunc
	ctx    context.Context // the tasks'; its cause is the error of the first that failed
	ready  chan struct{}   // closed when every Readier is ready
	over   chan struct{}   // closed when every task has ended
	err    error           // of the first task that failed; valid then

	mu    sync.Mutex
	alive []string // the tasks that have not ended
}

// begin runs the tasks of a generation.
func begin[C any](ctx context.Context, c C, gen Generation) *running[C] {
	r := &running[C]{config: c, gen: gen, since: time.Now(), ready: make(chan struct{}), over: make(chan struct{})}
	outer, end := context.WithCancelCause(ctx)
	r.end = end
	g, inner := errgroup.WithContext(outer)
	r.ctx = inner
	for _, t := range gen.Tasks {
		r.alive = append(r.alive, t.String())
	}
	for _, t := range gen.Tasks {
		g.Go(func() error {
			err := t.Run(inner)
			r.gone(t.String())
			if err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	go func() {
		r.err = g.Wait()
		if outer.Err() != nil && errors.Is(r.err, outer.Err()) {
			r.err = nil // the task only says that it was cancelled
		}
		close(r.over)
		end(nil)
	}()
	go r.awaitReady()
	return r
}

func (r *running[C]) gone(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.alive, name); i >= 0 {
		r.alive = slices.Delete(r.alive, i, i+1)
	}
}

// left names the tasks that have not ended.
func (r *running[C]) left() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.alive, ", ")
}

// awaitReady waits for every Readier.
func (r *running[C]) awaitReady() {
	for _, t := range r.gen.Tasks {
		if rd, ok := t.(Readier); ok {
			select {
			case <-rd.Ready():
			case <-r.ctx.Done():
				return
			}
		}
	}
	if r.ctx.Err() == nil {
		close(r.ready)
	}
}

// idle says why r may not be replaced now.
func (r *running[C]) idle() error {
	if r.gen.Idle == nil {
		return nil
	}
	return r.gen.Idle()
}

// notAdopted tells r why the newest configuration does not run.
func (r *running[C]) notAdopted(err error) {
	if r.gen.NotAdopted != nil {
		r.gen.NotAdopted(err)
	}
}
