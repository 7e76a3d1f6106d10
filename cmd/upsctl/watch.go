package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/grpc"
)

// How often --watch looks again. It asks instead of listening: an agent's socket
// answers for masters that are dead, and has nothing to listen to. With --all
// everybody is asked, who is given some time.
const (
	watchEvery    = 500 * time.Millisecond
	watchAllEvery = 2 * time.Second
)

// watch shows the status until q or the end of ctx, which is how it is meant to end:
// the exit status is that of the last look.
func (c *cli) watch(ctx context.Context, all, plain bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := c.looks(ctx, all)
	var last seen
	var any bool
	if c.redrawn(plain) {
		l := &live{c: c, news: news, head: func() []string { return nil }}
		l.foot = func() []string { return []string{"", l.clock.Format(time.TimeOnly) + "  q quits"} }
		var err error
		if last, err = l.run(ctx); err != nil {
			return err
		}
		any = l.any
	} else {
		t := &ticker{c: c, start: time.Now()}
		last, _ = t.run(ctx, news)
		any = t.any
	}
	switch {
	case !any:
		return errNoAnswer
	case last.err != nil:
		return last.err
	default:
		return last.p.verdict()
	}
}

// looks asks again and again until ctx ends.
func (c *cli) looks(ctx context.Context, all bool) <-chan seen {
	news := make(chan seen)
	every := watchEvery
	if all {
		every = watchAllEvery
	}
	go func() {
		var conn *grpc.ClientConn
		defer func() {
			if conn != nil {
				_ = conn.Close()
			}
		}()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			var s seen
			s, conn = c.lookOn(ctx, conn, all)
			if ctx.Err() != nil {
				return // what it says then is only that
			}
			select {
			case news <- s:
			case <-ctx.Done():
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return news
}

// lookOn asks on a connection, or makes one. After a failure it returns none: another
// daemon may be the one to ask now.
func (c *cli) lookOn(ctx context.Context, conn *grpc.ClientConn, all bool) (s seen, next *grpc.ClientConn) {
	defer func() {
		if r := recover(); r != nil { // the screen must be left before anybody can read this
			s.err = fmt.Errorf("internal error: %v\n%s", r, debug.Stack())
		}
		if s.err != nil && next != nil {
			_ = next.Close()
			next = nil
		}
	}()
	if next = conn; next == nil {
		if next, s.err = c.dial(ctx); s.err != nil {
			return s, nil
		}
	}
	asking, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	p, err := look(asking, next, all)
	return seen{p, refused("ask for the status", err)}, next
}

// ticker writes a line for each thing that changed.
type ticker struct {
	c     *cli
	start time.Time
	// keys that were pressed, and who is told of them; nil: nobody.
	keys  <-chan byte
	press func(context.Context, byte) error

	times steady
	known []fact
	any   bool // whether there was an answer
}

// run writes what changes until q or the end of ctx, and returns the last answer.
func (t *ticker) run(ctx context.Context, news <-chan seen) (last seen, err error) {
	for err == nil {
		select {
		case <-ctx.Done():
			return last, nil
		case last = <-news:
			t.any = true
			t.tell(last)
		case k := <-t.keys:
			if k == 'q' || k == ctrlC {
				return last, nil
			}
			err = t.press(ctx, k)
		}
	}
	return last, err
}

// tell writes what is new. A thing that is no longer told of is over, unless nobody
// could be asked.
func (t *ticker) tell(s seen) {
	now := time.Since(t.start)
	var facts []fact
	if s.err != nil {
		facts = []fact{{"answer", "none", clean(s.err.Error())}}
	} else {
		t.times.take(now, s.p)
		facts = s.p.facts(&t.times) // a line stays as it is, so its times may be exact
	}
	var lines []string
	for _, f := range facts {
		i := slices.IndexFunc(t.known, func(k fact) bool { return k.about == f.about })
		if i < 0 || t.known[i].is != f.is {
			lines = append(lines, f.says)
		}
	}
	for _, k := range t.known {
		gone := !slices.ContainsFunc(facts, func(f fact) bool { return f.about == k.about })
		switch {
		case !gone:
		case s.err != nil:
			facts = append(facts, k)
		case k.about == "answer":
			lines = append(lines, "answered again")
		default:
			lines = append(lines, k.about+": over")
		}
	}
	t.known = facts
	switch {
	case len(lines) == 0:
	case t.c.json:
		if s.err != nil {
			s.p = newPicture()
			s.p.Error = s.err.Error()
		}
		_ = writeJSON(t.c.out, s.p, "")
	default:
		for _, l := range lines {
			_, _ = io.WriteString(t.c.out, t.c.now().Format(time.TimeOnly)+" "+l+"\n")
		}
	}
}
