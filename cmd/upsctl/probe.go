package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// probing is what the flags of probe say.
type probing struct {
	limit   time.Duration // 0: until it is ended
	cable   string
	high    []string
	yesOpen bool
}

func (c *cli) probeCmd() *cobra.Command {
	var p probing
	cmd := &cobra.Command{
		Use: "probe [--for 30s] [--cable NAME] [--drive DTR|RTS]... [--yes-open] [PORT]", Short: "what a serial port's lines do, live; which ports there are",
		Long: `Without a port it lists all, opening none.

With one it shows the lines of that port, each change as it comes, and which known
cables fit what was seen since, taking it that the UPS was on mains at the start.
It refuses while a master holds the port, and shows what that master sees.

An open raises DTR and RTS for a moment, which cuts the load on some cables: it asks
first, unless the cable that you name can bear it. The outputs are then held low, at
the cable's idle levels, or high where --drive says so.`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("for") {
				if err := positive(cmd, "for", p.limit); err != nil {
					return err
				}
			}
			if len(args) == 0 {
				return c.listPorts()
			}
			return c.probe(cmd.Context(), args[0], p)
		},
	}
	cmd.Flags().DurationVar(&p.limit, "for", 0, "how `long`; without it until Ctrl-C")
	cmd.Flags().StringVar(&p.cable, "cable", "", "say what the lines mean by the cable of that `NAME`")
	_ = cmd.RegisterFlagCompletionFunc("cable", func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return completeCables(begun)
	})
	cmd.Flags().StringSliceVar(&p.high, "drive", nil, "hold this `OUTPUT` high while the cable is not known")
	cmd.Flags().BoolVar(&p.yesOpen, "yes-open", false, "the port may be opened")
	return cmd
}

// portRow is a port as --json tells it.
type portRow struct {
	Path    string       `json:"path"`
	ByID    string       `json:"by_id"`
	ByPath  string       `json:"by_path"`
	Driver  string       `json:"driver"`
	USB     string       `json:"usb"`
	Text    string       `json:"text"`
	Console bool         `json:"console"`
	Holders []processRow `json:"holders"`
	Hidden  bool         `json:"holders_hidden"`
	Denied  string       `json:"denied"`
}

type processRow struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

func (c *cli) listPorts() error {
	ports, err := line.Ports(c.roots)
	if err != nil {
		return err
	}
	if c.json {
		rows := []portRow{}
		for _, p := range ports {
			r := portRow{Path: p.Path, ByID: p.ByID, ByPath: p.ByPath, Driver: p.Driver, USB: p.USB, Text: p.Text, Console: p.Console, Holders: []processRow{}, Hidden: p.Hidden}
			for _, h := range p.Holders {
				r.Holders = append(r.Holders, processRow{h.PID, h.Name})
			}
			if p.Denied != nil {
				r.Denied = p.Denied.Error()
			}
			rows = append(rows, r)
		}
		return writeJSON(c.out, rows, "  ")
	}
	if len(ports) == 0 {
		fmt.Fprintln(c.err, "no serial port was found; plug the adapter in")
		return nil
	}
	for _, p := range ports {
		fmt.Fprint(c.out, wrap(p.String()))
	}
	return nil
}

// probe opens the port, if that may be, and tells what happens on it.
func (c *cli) probe(ctx context.Context, path string, p probing) error {
	o := line.ProbeOptions{Path: path, Log: slog.New(slog.DiscardHandler)}
	among := line.Catalogue()
	if p.cable != "" {
		known, ok := line.Lookup(p.cable)
		if !ok {
			return usageError{fmt.Sprintf("no cable is called %q", p.cable), "'upsctl cables' lists all"}
		}
		if len(p.high) > 0 {
			return usageError{"--cable and --drive exclude each other", "the cable says which outputs are high"}
		}
		o.Cable, among, o.Hold = known, []line.Cable{known}, known.Idle()
	}
	for _, name := range p.high {
		t, err := line.ParseTerm(name)
		if err != nil || t.Line&line.Outputs == 0 || t.Low {
			return usageError{fmt.Sprintf("--drive %q is no output", name), "write --drive DTR, --drive RTS or both"}
		}
		o.Hold |= t.Line
	}
	info, err := line.Port(c.roots, path)
	if err != nil {
		return err
	}
	if len(info.Holders) > 0 {
		return c.showHolder(ctx, info)
	}
	if err := info.Trouble(); err != nil {
		return fmt.Errorf("cannot open %s: %w", path, err)
	}
	if err := c.mayOpen(ctx, line.OpenWarning(among, o.Hold), p.yesOpen); err != nil {
		return err
	}
	if p.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.limit)
		defer cancel()
	}
	return c.watchLines(ctx, o)
}

// showHolder refuses a port that somebody has. Where that is a master it says what it
// sees.
func (c *cli) showHolder(ctx context.Context, info line.PortInfo) error {
	h := info.Holders[0]
	if h.Name == "upsmaster" {
		c.showMaster(ctx, "the running master watches this port; it says:")
	}
	return fmt.Errorf("cannot open %s: %w; %s", info.Path, &h, line.Release(h.Name, filepath.Base(info.Path)))
}

// showMaster says what this machine's master sees, if one answers.
func (c *cli) showMaster(ctx context.Context, title string) {
	_ = c.ask(ctx, "ask the master", func(ctx context.Context, conn *grpc.ClientConn) error {
		p, err := look(ctx, conn, false)
		if err != nil {
			return err // it is an extra: what was asked for is refused anyway
		}
		fmt.Fprintln(c.err, title)
		for _, m := range p.Masters {
			for _, u := range m.UPS {
				fmt.Fprintf(c.out, "%s/%s %s, cable %s, high: %s\n", clean(m.Name), clean(u.Name), clean(u.State), clean(orDash(u.Cable)), clean(orDash(strings.Join(u.Lines, " "))))
			}
		}
		return nil
	})
}

// mayOpen tells what an open may do, and asks whether it is to be.
func (c *cli) mayOpen(ctx context.Context, warning []string, yes bool) error {
	if len(warning) == 0 || yes {
		return nil
	}
	for _, paragraph := range warning {
		fmt.Fprint(c.err, wrap(paragraph))
	}
	if !c.inTTY {
		return usageError{"nobody can be asked whether the port may be opened: this is no terminal", "write --yes-open if it may, or name the cable with --cable"}
	}
	fmt.Fprint(c.err, "Open it? (y/n) [n]: ")
	typed := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(c.in).ReadString('\n') // no answer is no
		typed <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case answer := <-typed:
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("the port was not opened")
}

// change is one change as --json tells it.
type change struct {
	At     float64  `json:"at_seconds"`
	Lines  []string `json:"lines"`
	Rose   []string `json:"rose"`
	Fell   []string `json:"fell"`
	Pulses uint32   `json:"pulses"`
	Error  string   `json:"error,omitempty"`
	Means  string   `json:"means,omitempty"`
	Fits   []string `json:"fits,omitempty"`
}

// watchLines tells each change until ctx ends, which is how it is meant to end.
func (c *cli) watchLines(ctx context.Context, o line.ProbeOptions) error {
	p := line.NewProbe(o)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	v := &lineView{c: c, cable: o.Cable}
	for ch := range p.Changes() {
		v.show(ch)
	}
	err := <-ended
	if held := new(line.HeldError); errors.As(err, &held) && held.PID == 0 { // by somebody whom this user can't see
		c.showMaster(ctx, "perhaps by the running master; it says:")
	}
	return err
}

// lineView is what has been seen so far.
type lineView struct {
	c     *cli
	cable line.Cable
	begun time.Time // the first reading; zero: none yet
	last  time.Time
	rest  line.Lines
	seen  []line.Observation
}

func (v *lineView) show(ch line.Change) {
	first := v.begun.IsZero()
	if first && ch.Err == nil {
		v.begun, v.last, v.rest = ch.At, ch.At, ch.Lines
		v.seen = append(v.seen, line.Observation{When: line.AtRest, Lines: ch.Lines})
	}
	if !first && ch.Err == nil && (ch.Lines^v.rest)&line.Inputs != 0 {
		if o := (line.Observation{When: line.Anything, Lines: ch.Lines}); !slices.Contains(v.seen, o) {
			v.seen = append(v.seen, o)
		}
	}
	row := change{Lines: ch.Lines.Names(), Rose: ch.Rose().Names(), Fell: ch.Fell().Names(), Pulses: ch.Pulses}
	if !v.begun.IsZero() {
		row.At = ch.At.Sub(v.begun).Seconds()
	}
	switch {
	case ch.Err != nil:
		row.Error = ch.Err.Error()
	case v.cable.Name != "":
		row.Means = v.cable.Says(ch.Lines)
	case len(v.seen) > 1:
		row.Fits = fits(v.seen)
	}
	if v.c.json {
		_ = writeJSON(v.c.out, row, "")
		return
	}
	v.write(ch, row, first)
	v.last = ch.At
}

// write tells one change for people.
func (v *lineView) write(ch line.Change, row change, first bool) {
	text := ch.String()
	switch {
	case ch.Err != nil:
	case first:
		text = "outputs " + ch.Lines.Outputs() + "; " + ch.Lines.Inputs()
	default:
		text += ", " + line.Since(ch.At.Sub(v.last)) + " later"
	}
	fmt.Fprintf(v.c.out, "%9.3f  %s\n", row.At, clean(text))
	if row.Means != "" {
		fmt.Fprintf(v.c.out, "           %s: %s\n", clean(v.cable.Name), clean(row.Means))
	}
	if len(v.seen) > 1 && v.cable.Name == "" && ch.Rose()|ch.Fell() != 0 {
		fmt.Fprintf(v.c.out, "           fits best if it was on mains before: %s\n", orDash(strings.Join(row.Fits, " ")))
	}
}

// fits names the cables that fit best.
func fits(seen []line.Observation) []string {
	all := line.Identify(line.Catalogue(), seen)
	var names []string
	for _, j := range all {
		if j.Verdict == line.Fits && j.Score == all[0].Score {
			names = append(names, j.Cable.Name)
		}
	}
	return names
}
