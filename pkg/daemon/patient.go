package daemon

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logPatience is how long a line waits to be written before its caller goes on:
	// long for a disk, short for a countdown.
	logPatience = 100 * time.Millisecond
	// logQueue bounds the lines that wait for a reader who hangs.
	logQueue = 1024
)

// patientWriter writes lines to w, one after the other, and does not let a w that
// hangs (a full pipe, a journald that stands still) hold its callers: a line is
// waited for as long as logPatience says, and not at all once w is known to hang.
// While all is well every line is written when Write returns, so none is lost at
// exit.
type patientWriter struct {
	w    io.Writer
	lost func(n int) // says on w that n lines were lost

	mu    sync.Mutex
	queue []logLine
	busy  bool
	since time.Time // when the write under way began, if busy
	n     int       // lines lost and not yet told
}

type logLine struct {
	text []byte
	done chan struct{}
}

func (p *patientWriter) Write(b []byte) (int, error) {
	l := logLine{bytes.Clone(b), make(chan struct{})}
	p.mu.Lock()
	if len(p.queue) >= logQueue {
		p.n++
		p.mu.Unlock()
		return len(b), nil
	}
	p.queue = append(p.queue, l)
	stuck := p.busy && time.Since(p.since) >= logPatience
	if !p.busy {
		p.busy, p.since = true, time.Now()
		go p.drain()
	}
	p.mu.Unlock()
	if stuck {
		return len(b), nil
	}
	t := time.NewTimer(logPatience)
	defer t.Stop()
	select {
	case <-l.done:
	case <-t.C:
	}
	return len(b), nil
}

// drain writes what waits and ends.
func (p *patientWriter) drain() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 && p.n == 0 {
			p.busy = false
			p.mu.Unlock()
			return
		}
		var l logLine
		lost := 0
		if len(p.queue) > 0 {
			l, p.queue = p.queue[0], p.queue[1:]
		} else {
			lost, p.n = p.n, 0
		}
		p.since = time.Now()
		p.mu.Unlock()
		if lost > 0 {
			p.lost(lost)
			continue
		}
		_, _ = p.w.Write(l.text) // there is nobody left to tell
		close(l.done)
	}
}

// patient returns a handler made by build that writes to w through a
// patientWriter.
func patient(w io.Writer, build func(io.Writer) slog.Handler) slog.Handler {
	direct := slog.New(build(w))
	return build(&patientWriter{w: w, lost: func(n int) {
		direct.Warn("log lines were lost while nobody took them", "count", n)
	}})
}
