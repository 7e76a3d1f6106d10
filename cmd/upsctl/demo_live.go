package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// redrawEvery keeps the countdowns going on the screen.
const redrawEvery = 250 * time.Millisecond

// ctrlC is what the key sends when the terminal gives keys raw.
const ctrlC = 3

var liveKeys = map[byte]string{'f': "fail", 'b': "batlow", 'o': "ok"}

// live lets a person be the UPS until q.
func (d *demo) live(ctx context.Context) error {
	restore, err := d.c.raw()
	if err != nil {
		return fmt.Errorf("cannot read keys: %w", err)
	}
	fmt.Fprint(d.c.out, termHide)
	defer func() {
		fmt.Fprint(d.c.out, termShow+"\r\n")
		restore()
	}()
	keys := d.keys(ctx)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	said := "ok"
	for {
		if err := d.draw(ctx, said); err != nil {
			return err
		}
		select {
		case k := <-keys:
			st, known := liveKeys[k]
			switch {
			case k == 'q' || k == ctrlC:
				return nil
			case known:
				said = st
				if err := d.tellUPS(ctx, st); err != nil {
					return err
				}
			}
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// keys reads the keyboard until ctx ends; at its end it says q.
func (d *demo) keys(ctx context.Context) <-chan byte {
	keys := make(chan byte)
	go func() {
		for {
			one := []byte{'q'}
			_, err := d.c.in.Read(one)
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

// draw asks the master and shows the rack.
func (d *demo) draw(ctx context.Context, said string) error {
	asking, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	p, err := look(asking, d.conn, false)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return refused("ask the master", err)
	}
	var screen strings.Builder
	screen.WriteString(termHome + "Lastwatt demo: you are the UPS, and the agents only pretend to power off.\n\n")
	p.print(&screen, d.c.colour())
	fmt.Fprintf(&screen, "\nthe UPS says: %s\nf power fails   b battery low   o power okay   q quit\n", said)
	fmt.Fprint(d.c.out, strings.ReplaceAll(screen.String(), "\n", "\r\n"))
	return nil
}
