package main

import (
	"context"
	"time"
)

var liveKeys = map[byte]string{'f': "fail", 'b': "batlow", 'o': "ok"}

// live lets a person be the UPS until q.
func (d *demo) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := "ok"
	press := func(ctx context.Context, k byte) error {
		st, known := liveKeys[k]
		if !known {
			return nil
		}
		said = st
		return d.tellUPS(ctx, st)
	}
	if !d.c.redrawn(d.plain) {
		d.say("you are the UPS: f and Enter: power fails, b: battery low, o: power okay, q: quit")
		t := &ticker{c: d.c, start: time.Now(), keys: d.c.keys(ctx), press: press}
		_, err := t.run(ctx, d.feed)
		return err
	}
	l := &live{
		c: d.c, news: d.feed, press: press,
		head: func() []string {
			return []string{"Lastwatt demo: you are the UPS, and the agents only pretend to power off.", ""}
		},
		foot: func() []string {
			return []string{"", "the UPS says: " + said, "f power fails   b battery low   o power okay   q quit"}
		},
	}
	_, err := l.run(ctx)
	return err
}
