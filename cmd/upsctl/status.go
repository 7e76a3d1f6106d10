package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
)

func (c *cli) statusCmd() *cobra.Command {
	var all, watch bool
	cmd := &cobra.Command{
		Use: "status [--all] [--watch]", Short: "what the power is and what every node does about it",
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return c.watch(cmd.Context(), all)
			}
			p, err := c.look(cmd.Context(), all)
			if err != nil {
				return err
			}
			if c.json {
				if err := writeJSON(c.out, p, "  "); err != nil {
					return err
				}
			} else {
				p.print(c.out, c.colour())
			}
			return p.verdict()
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "ask every master and node itself, and show who only announces himself")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on: redraw on a terminal, else one line per change")
	return cmd
}

// look asks whoever is to be asked for everything.
func (c *cli) look(ctx context.Context, all bool) (p picture, err error) {
	err = c.ask(ctx, "ask for the status", func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		p, err = look(ctx, conn, all)
		return err
	})
	return p, err
}

// verdict turns a picture into the exit status.
func (p picture) verdict() error {
	if p.attention() {
		return errAttention
	}
	return nil
}

// print writes the picture for people.
func (p picture) print(w io.Writer, colour bool) {
	for i, m := range p.Masters {
		if i > 0 {
			fmt.Fprintln(w)
		}
		m.print(w, colour)
	}
	if len(p.Masters) == 0 {
		fmt.Fprintln(w, "no master is known here")
	}
	if len(p.Nodes) > 0 {
		fmt.Fprintln(w)
		t := table{}
		t.addText("NODE", "ROLE", "PHASE", "STATE", "COUNTDOWN", "LINK", "PROBLEM")
		for _, n := range p.Nodes {
			t.add(cell{text: n.Name}, cell{text: n.Role}, cell{n.Phase, phasePaint(n.Phase)}, cell{n.State, statePaint(n.State)},
				cell{text: countdown(n.Deadline)}, cell{n.Link, linkPaint(n.Link)}, cell{text: n.note(p.Problems)})
		}
		t.write(w, colour)
	}
	if len(p.Problems) > 0 {
		fmt.Fprintln(w)
	}
	for _, one := range p.Problems {
		fmt.Fprint(w, wrap(clean(fmt.Sprintf("%s: %s: %s", one.On, one.Name, one.Text))))
	}
}

func (m masterPicture) print(w io.Writer, colour bool) {
	line := "master " + m.Name
	if m.Name == "" {
		line = "master"
	}
	if m.Address != "" {
		line += " at " + m.Address
	}
	if !m.Reachable {
		line += " cannot be asked: " + m.Error
	}
	fmt.Fprint(w, wrap(clean(line)))
	if len(m.UPS) == 0 {
		return
	}
	t := table{}
	t.addText("UPS", "STATE", "FOR", "LINES", "CABLE", "")
	for _, u := range m.UPS {
		t.add(cell{text: u.Name}, cell{u.State, statePaint(u.State)}, cell{text: span(toDuration(u.Age))},
			cell{text: strings.Join(u.Lines, " ")}, cell{text: u.Cable}, cell{text: u.note(m.Reachable)})
	}
	t.write(w, colour)
	for _, u := range m.UPS {
		if u.Reason != "" {
			fmt.Fprint(w, wrap(clean(u.Name+": "+u.Reason)))
		}
	}
}

// note says what is special about a UPS, in a word or two.
func (u upsPicture) note(reachable bool) string {
	var notes []string
	for _, n := range []struct {
		yes  bool
		text string
	}{{!reachable, "last heard"}, {u.Sim, "sim"}, {u.Drill, "drill"}, {u.Weak, "weak battery"}} {
		if n.yes {
			notes = append(notes, n.text)
		}
	}
	return strings.Join(notes, ", ")
}

// note says what is special about a node: who holds it, whom it waits for, its
// problems by name (their texts stand below the table).
func (n nodePicture) note(problems []problemPicture) string {
	var notes []string
	if n.HeldBy != "" && n.Phase == "HELD" {
		notes = append(notes, "held by "+n.HeldBy)
	}
	if n.WaitingCount > 0 {
		notes = append(notes, fmt.Sprintf("waits for %d", n.WaitingCount))
	}
	if n.Link == linkSeen {
		notes = append(notes, "not joined")
	} else if n.Announced != nil && !*n.Announced && !n.MasterHost {
		notes = append(notes, "not announced")
	}
	if n.Answers != nil && !*n.Answers && n.Link == "up" && !n.MasterHost {
		notes = append(notes, "no answer")
	}
	for _, p := range problems {
		if p.On == "node/"+n.Name {
			notes = append(notes, p.Name)
		}
	}
	return strings.Join(notes, ", ")
}

func countdown(deadline *float64) string {
	if deadline == nil {
		return "-"
	}
	return span(toDuration(*deadline))
}

func toDuration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// SGR parameters (ECMA-48 §8.3.117): 31 red, 32 green, 33 yellow, 35 magenta, 1 bold.
func statePaint(state string) string {
	switch state {
	case "OK":
		return "32"
	case "FAIL":
		return "33"
	case "BATLOW":
		return "1;31"
	default:
		return "35"
	}
}

func phasePaint(phase string) string {
	switch phase {
	case "IDLE":
		return ""
	case "COMMITTED", "DONE":
		return "1;31"
	default:
		return "33"
	}
}

func linkPaint(link string) string {
	if link == "lost" {
		return "31"
	}
	return ""
}
