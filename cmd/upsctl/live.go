package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Keys as a raw terminal sends them.
const (
	ctrlC = 3
	ctrlL = 12
	ctrlZ = 26
)

// stopWithin is how soon a suspended process stands still.
const stopWithin = 200 * time.Millisecond

// seen is one answer, or why there was none.
type seen struct {
	p   picture
	err error
}

// live is a screen that shows the newest answer, with times that go on by
// themselves, until q, Ctrl-C or the end of its context. It has one goroutine.
type live struct {
	c    *cli
	news <-chan seen
	// head and foot stand above and below what is seen.
	head, foot func() []string
	// press is told every key that has no meaning here; nil: nobody.
	press func(context.Context, byte) error

	start    time.Time
	clock    time.Time // the wall's; it goes on when the others do
	screen   screen
	times    steady
	last     seen
	any      bool // whether there was an answer
	good     picture
	answered time.Duration // when good came
}

// run returns what was seen last.
func (l *live) run(ctx context.Context) (last seen, err error) {
	restore := func() {}
	var keys <-chan byte
	if l.c.inTTY {
		if restore, err = l.c.raw(); err != nil {
			return l.last, fmt.Errorf("cannot read keys: %w", err)
		}
		keys = l.c.keys(ctx)
	}
	// Also when this panics: what it says then must be readable.
	defer func() { restore() }()
	l.start, l.clock, l.screen.w = time.Now(), l.c.now(), l.c.out
	l.screen.enter()
	defer l.screen.leave()
	tell, stop := l.signals()
	defer stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	pause := func() error {
		l.screen.leave()
		restore()
		l.c.tty.suspend()
		select {
		case <-tell: // somebody lets it go on
		case <-time.After(stopWithin): // it was not stopped
		}
		return l.goOn(&restore)
	}
	for {
		l.draw()
		select {
		case <-ctx.Done():
			return l.last, nil
		case n := <-l.news:
			l.take(n)
		case <-second.C:
			l.clock = l.c.now()
		case k := <-keys:
			switch {
			case k == 'q' || k == ctrlC:
				return l.last, nil
			case k == ctrlL:
				l.screen.forget()
			case k == ctrlZ && l.c.tty.suspend != nil:
				err = pause()
			case l.press != nil:
				err = l.press(ctx, k)
			}
		case sig := <-tell:
			l.screen.forget()
			if sig == syscall.SIGCONT { // stopped by somebody who did not ask
				err = l.goOn(nil)
			}
		}
		if err != nil {
			return l.last, err
		}
	}
}

func (l *live) signals() (<-chan os.Signal, func()) {
	if l.c.tty.signals == nil {
		return nil, func() {}
	}
	return l.c.tty.signals()
}

// goOn takes the terminal again; restore, if it is not nil, becomes the way back.
func (l *live) goOn(restore *func()) error {
	if l.c.inTTY {
		back, err := l.c.raw()
		if err != nil {
			return fmt.Errorf("cannot read keys: %w", err)
		}
		if restore != nil {
			*restore = back
		}
	}
	l.screen.enter()
	return nil
}

// take learns an answer.
func (l *live) take(n seen) {
	l.last, l.any = n, true
	if n.err == nil {
		l.answered = time.Since(l.start)
		l.good = n.p
		l.times.take(l.answered, n.p)
	}
}

// draw shows what there is now.
func (l *live) draw() {
	cols, rows := l.c.terminalSize()
	if cols <= 0 || rows <= 0 {
		cols, rows = maxWidth, 24
	}
	now := time.Since(l.start)
	st := style{cols, l.c.colour()}
	lines, foot := l.head(), l.foot()
	if rows < 16 { // no room for air
		lines, foot = dense(lines), dense(foot)
	}
	switch {
	case !l.any:
		lines = append(lines, "asking…")
	case l.last.err != nil:
		for text := range strings.Lines(l.last.err.Error()) {
			lines = append(lines, paragraph(text, cols)...)
		}
	}
	if room := rows - len(lines) - len(foot); l.good.Masters != nil && room > 0 {
		answered := now
		if l.last.err != nil {
			answered = l.answered
			if room > 3 {
				lines = append(lines, "", fmt.Sprintf("what was seen %s ago:", span((now-answered).Truncate(time.Second))))
				room -= 2
			}
		}
		lines = append(lines, l.times.show(now, answered, l.good).frame(st, room)...)
	}
	lines = append(lines, foot...)
	lines = lines[:min(len(lines), rows)]
	for i := range lines {
		lines[i] = narrowed(lines[i], cols)
	}
	l.screen.draw(lines, cols)
}

// dense is lines without the empty ones.
func dense(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
}

// keys reads the keyboard until ctx ends; at its end it says q.
func (c *cli) keys(ctx context.Context) <-chan byte {
	keys := make(chan byte)
	go func() {
		for {
			one := []byte{'q'}
			_, err := c.in.Read(one)
			if err != nil {
				one[0] = 'q'
			}
			select {
			case keys <- one[0]:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// redrawn reports whether to show a screen that is redrawn, or to write line by line.
func (c *cli) redrawn(plain bool) bool {
	term := c.env("TERM")
	return c.outTTY && !c.json && !plain && term != "dumb" && term != ""
}

// errNoAnswer is how a watch ends that was ended before anybody answered.
var errNoAnswer = errors.New("stopped before anybody answered")
