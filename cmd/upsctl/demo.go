package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// demoLimit ends a scripted demo that hangs, whatever hangs.
const demoLimit = 28 * time.Second

func (c *cli) demoCmd() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "demo [--plain]", Short: "a rack on this machine through a power failure, no hardware",
		Long: `A master on a simulated UPS and three agents that only pretend to power off, on
loopback and in a temporary folder, joined by tokens as real ones are.

On a terminal you are the UPS: f fails, b makes the battery low, o is okay, q quits.
Otherwise an outage is played and each step checked; the exit status says how it went.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), plain) },
	}
	cmd.Flags().BoolVar(&plain, "plain", false, "sentences, and nothing is redrawn; keys need Enter")
	return cmd
}

func (c *cli) demo(ctx context.Context, plain bool) (err error) {
	live := c.inTTY && c.outTTY
	if !live {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("it took longer than %s", demoLimit))
		defer cancel()
	}
	bin, err := c.programs("upsmaster", "upsagent")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lastwatt-demo-")
	if err != nil {
		return fmt.Errorf("cannot make a folder for the demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{c: c, dir: dir, bin: bin, plain: plain, start: time.Now(), feed: make(chan seen), told: map[string]string{}}
	defer d.stop()
	d.say("a master on a simulated UPS and %d agents, on loopback in %s", len(demoNodes), dir)
	if err := d.startRack(ctx); err != nil {
		return d.failed(ctx, err)
	}
	if live {
		return d.failed(ctx, d.live(ctx))
	}
	if err := d.play(ctx); err != nil {
		return d.failed(ctx, err)
	}
	d.say("all as expected")
	return nil
}

// failed adds what a person needs to find out why: who gave up, and the ends of
// the daemons' logs, which go away with the folder.
func (d *demo) failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), context.Canceled):
		return errors.New("demo: stopped") // by whoever watched it
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	for _, p := range d.procs {
		if end := p.logEnd(); end != "" {
			err = fmt.Errorf("%w\n--- %s\n%s", err, p.name, end)
		}
	}
	return fmt.Errorf("demo: %w", err)
}
