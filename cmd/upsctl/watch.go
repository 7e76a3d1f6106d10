package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// watchEvery is how often --watch looks again. It asks instead of listening: the
// countdowns move anyway, and an agent's socket answers for masters that are dead.
const watchEvery = 500 * time.Millisecond

// The terminal's words (ECMA-48): home and erase what follows, erase to the end of
// the line; DEC's private mode 25 is the cursor.
const (
	termHome = "\x1b[H\x1b[J"
	termHide = "\x1b[?25l"
	termShow = "\x1b[?25h"
)

// watch shows the status until ctx ends, which is how it is meant to end: the exit
// status is that of the last look.
func (c *cli) watch(ctx context.Context, all bool) error {
	live := c.outTTY && !c.json
	if live {
		fmt.Fprint(c.out, termHide)
		defer fmt.Fprint(c.out, termShow)
	}
	last := map[string]string{}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		p, err := c.look(ctx, all)
		if ctx.Err() == nil {
			c.showLook(p, err, live, last)
		}
		select {
		case <-ctx.Done():
			if err != nil {
				return err
			}
			return p.verdict()
		case <-tick.C:
		}
	}
}

// showLook redraws, or says what changed since last, which it brings up to date.
func (c *cli) showLook(p picture, err error, live bool, last map[string]string) {
	switch {
	case live && err != nil:
		fmt.Fprintf(c.out, "%s%s\n", termHome, cleanLines(err.Error()))
	case live:
		fmt.Fprint(c.out, termHome)
		p.print(c.out, c.colour())
	case err != nil:
		c.changed(map[string]string{"status": err.Error()}, last, picture{})
	default:
		c.changed(p.facts(), last, p)
	}
}

// facts are what a watcher is told of when it changes; ages and countdowns move by
// themselves and are none.
func (p picture) facts() map[string]string {
	facts := map[string]string{"status": "answered"}
	for _, m := range p.Masters {
		facts["master "+m.Name] = "reachable"
		if !m.Reachable {
			facts["master "+m.Name] = "cannot be asked: " + m.Error
		}
		for _, u := range m.UPS {
			facts["ups "+m.Name+"/"+u.Name] = u.State
		}
	}
	for _, n := range p.Nodes {
		facts["node "+n.Name] = n.Phase + ", " + n.State + ", link " + n.Link
	}
	for _, one := range p.Problems {
		facts["problem "+one.On+" "+one.Name] = one.Text
	}
	return facts
}

// changed says what differs from last. A thing that is no longer told of is gone,
// unless nobody could be asked.
func (c *cli) changed(now, last map[string]string, p picture) {
	var lines []string
	for what, is := range now {
		was, known := last[what]
		switch {
		case !known:
			lines = append(lines, what+": "+is)
		case was != is:
			lines = append(lines, what+": "+was+" -> "+is)
		}
		last[what] = is
	}
	for what := range last {
		if _, still := now[what]; !still && now["status"] == "answered" {
			lines = append(lines, what+": gone")
			delete(last, what)
		}
	}
	if len(lines) == 0 {
		return
	}
	if c.json {
		_ = writeJSON(c.out, p, "")
		return
	}
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprintf(c.out, "%s %s\n", c.now().Format(time.TimeOnly), clean(l))
	}
}
