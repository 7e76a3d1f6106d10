package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/pkg/line"
)

func (c *cli) cablesCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "every known cable",
		Long: `Lists the catalogue: which line says that the power has failed ("!" means when it is
low), which that the battery is nearly empty, and what cuts the load. The name is
what cable = "…" in master.toml takes.`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return c.listCables() },
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "which wire goes where, and what it reads as when pulled",
		Long: `Says everything about one cable: the pins, what each line means, which outputs are
held, what cuts the load and how long the UPS may take, what a plug that is pulled
out reads as, and where this is known from.`,
		Example: "  upsctl cables show liebert-powersure",
		Args:    arguments(1, 1),
		ValidArgsFunction: func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			return completeCables(begun)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			known, ok := line.Lookup(args[0])
			if !ok {
				return usageError{fmt.Sprintf("no cable is called %q", args[0]), "'upsctl cables' lists all; one that is not among them is written into master.toml as a table"}
			}
			if c.json {
				return writeJSON(c.out, known, "  ")
			}
			showCable(c.out, known)
			return nil
		},
	}
	cmd := group("cables", "the catalogue of cables", list, show)
	some := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil // the list
		}
		return some(cmd, args)
	}
	cmd.RunE = list.RunE
	return cmd
}

func completeCables(begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, known := range line.Catalogue() {
		names = append(names, known.Name)
	}
	return beginning(begun, names)
}

func (c *cli) listCables() error {
	cables := line.Catalogue()
	if c.json {
		return writeJSON(c.out, cables, "  ")
	}
	t := table{}
	t.addText("NAME", "ON BATTERY", "LOW", "CUTS BY", "TITLE")
	for _, known := range cables {
		t.addText(known.Name, orDash(known.OnBattery.String()), orDash(known.LowBattery.String()), orDash(killBy(known.Kill)), known.Title)
	}
	t.write(c.out, c.colour())
	return nil
}

// pins are those of a line at a computer's DB9 and DB25 (TIA-574, TIA-232-F).
var pins = []struct {
	line      line.Lines
	db9, db25 string
}{
	{line.CTS, "8", "5"}, {line.DSR, "6", "6"}, {line.DCD, "1", "8"}, {line.RI, "9", "22"},
	{line.DTR, "4", "20"}, {line.RTS, "7", "4"},
}

// showCable writes what one has to know to solder, plug in and trust a cable.
func showCable(w io.Writer, c line.Cable) {
	fmt.Fprintf(w, "%s: %s\n", c.Name, c.Title)
	if len(c.Aliases) > 0 {
		fmt.Fprint(w, wrap("also: "+strings.Join(c.Aliases, ", ")))
	}
	fmt.Fprintln(w)
	t := table{}
	t.addText("LINE", "DB9", "DB25", "")
	for _, p := range pins {
		if means := lineMeans(c, p.line); means != "" {
			t.addText(p.line.String(), p.db9, p.db25, means)
		}
	}
	if len(c.Kill.Send) > 0 || c.Kill.Break > 0 {
		t.addText("TXD", "3", "2", "cuts the load: "+killBy(c.Kill))
	}
	t.write(w, false)
	fmt.Fprintln(w)
	fmt.Fprintf(w, "cuts the load: %s\n", killWords(c.Kill))
	fmt.Fprintf(w, "pulled out at the computer: %s\n", c.PulledAtComputer())
	fmt.Fprintf(w, "pulled out at the UPS: %s\n", c.PulledAtUPS())
	if c.PulledReadsLow() {
		fmt.Fprintln(w, "on battery and low at once is not believed before batlow_jump: it may be the plug")
	}
	for _, about := range []struct{ name, text string }{{"source", c.Source}, {"notes", c.Notes}} {
		if about.text != "" {
			fmt.Fprint(w, wrap(about.name+": "+about.text))
		}
	}
}

// lineMeans says what one line is for, "" if for nothing.
func lineMeans(c line.Cable, l line.Lines) string {
	var means []string
	for _, m := range []struct {
		term line.Term
		text string
	}{
		{c.OnBattery, "on battery"}, {c.LowBattery, "battery low"}, {c.Present, "UPS present"},
		{c.Replace, "replace the battery"}, {c.Bypass, "on bypass"},
	} {
		if m.term.Line == l {
			means = append(means, m.text+" when "+level(m.term))
		}
	}
	if l&line.Outputs != 0 {
		held := "held low"
		if c.Idle()&l != 0 {
			held = "held high"
		}
		means = append(means, held)
		for _, k := range c.Kill.Set {
			if k.Line == l {
				means = append(means, level(k)+" cuts the load")
			}
		}
	}
	for _, loop := range c.Loops {
		if loop.Line == l {
			means = append(means, "held "+level(loop)+" by the cable itself")
		}
	}
	return strings.Join(means, ", ")
}

func level(t line.Term) string {
	if t.Low {
		return "low"
	}
	return "high"
}

// killBy says what cuts the load in a few letters, "" if nothing does.
func killBy(k line.Kill) string {
	switch {
	case len(k.Set) > 0:
		var terms []string
		for _, t := range k.Set {
			terms = append(terms, t.String())
		}
		return strings.Join(terms, " ")
	case k.Break > 0:
		return "break"
	case len(k.Send) > 0:
		return "data " + hex.EncodeToString(k.Send)
	default:
		return ""
	}
}

func killWords(k line.Kill) string {
	by := killBy(k)
	if by == "" {
		return "never, this cable can't"
	}
	long := k.Hold
	if k.Break > 0 {
		long = k.Break
	}
	return fmt.Sprintf("%s for %s; the UPS may take %s to obey", by, long, span(k.Delay))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
