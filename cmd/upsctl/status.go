package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
)

func (c *cli) statusCmd() *cobra.Command {
	var all, watch, plain bool
	cmd := &cobra.Command{
		Use: "status [--all] [--watch] [--plain]", Short: "what the power is and what every node does about it",
		Long: `Shows what each UPS says, what each node does about it, when it goes, and every
problem with what to do about it. Phases: IDLE, HELD (somebody said: stay), GRACE
(on battery, counting down), WAITING (for those who must be off first), COMMITTED
(power-off asked), DONE (power-off accepted).

--all asks every master and every node itself, and shows agents that announce
themselves and belong to nobody: what to type when the master is dead.

--watch goes on, on a terminal until q or Ctrl-C, with countdowns that go by the
second; what does not fit is counted, what needs a look comes first. Without a
terminal it writes one line for each change.

--plain writes sentences in place of tables, for screen readers and logs. With
--json, "problems" is what the exit status speaks of; "weaknesses" are things that
were never proved or can't be otherwise, which upsctl doctor explains.`,
		Example: `  upsctl status
  upsctl status --all --watch
  upsctl status --json | jq '.problems[].text'
  upsctl status >/dev/null || echo "somebody should look"`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if plain && c.json {
				return usageError{"--plain and --json exclude each other", "--plain is for people, --json for programs"}
			}
			if watch {
				return c.watch(cmd.Context(), all, plain)
			}
			p, err := c.look(cmd.Context(), all)
			if err != nil {
				return err
			}
			switch {
			case c.json:
				err = writeJSON(c.out, p, "  ")
			case plain:
				p.say(c.out)
			default:
				p.print(c.out, c.style())
			}
			if err != nil {
				return err
			}
			return p.verdict()
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "ask every master and node itself, and show who only announces himself")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on: redraw on a terminal, else one line per change")
	cmd.Flags().BoolVar(&plain, "plain", false, "sentences in place of tables, and nothing is redrawn")
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

// masterLines are the masters and their UPSes.
func (p picture) masterLines(st style) []string {
	var out []string
	for i, m := range p.Masters {
		if i > 0 {
			out = append(out, "")
		}
		out = append(out, m.lines(st)...)
	}
	if len(p.Masters) == 0 {
		out = append(out, "no master is known here")
	}
	return out
}

func (m masterPicture) lines(st style) []string {
	out := paragraph(m.words(), st.width)
	if m.Drill != nil {
		out = append(out, paragraph(m.Drill.words(), st.width)...)
	}
	if len(m.UPS) == 0 {
		return out
	}
	t := table{width: st.width, spare: []string{"CABLE", "LINES"}}
	t.addText("UPS", "STATE", "FOR", "LINES", "CABLE", "")
	for _, u := range m.UPS {
		t.add(cell{text: u.Name}, cell{u.State, statePaint(u.State)}, cell{text: span(toDuration(u.Age))},
			cell{text: strings.Join(u.Lines, " ")}, cell{text: u.Cable}, cell{text: u.note(m.Reachable)})
	}
	out = append(out, t.lines(st.colour)...)
	for _, u := range m.UPS {
		if u.Reason != "" {
			out = append(out, paragraph(u.Name+": "+u.Reason, st.width)...)
		}
		if words := u.batteryWords(span); words != "" {
			out = append(out, paragraph(u.Name+": "+words, st.width)...)
		}
	}
	return out
}

// words say that a drill is on.
func (d drillOn) words() string {
	left := "its last hooks go on"
	if d.Left != nil {
		left = "for " + span(toDuration(*d.Left)) + " more"
	}
	nodes := fmt.Sprintf("%d nodes", d.Count)
	if d.Count == 1 {
		nodes = "1 node"
	}
	return fmt.Sprintf("drill by %s on %s, %s: no machine goes down by it", d.By, nodes, left)
}

// words are who a master is, where, and why it can't be asked.
func (m masterPicture) words() string {
	words := strings.TrimSuffix("master "+m.Name, " ")
	if m.Address != "" {
		words += " at " + m.Address
	}
	if !m.Reachable {
		words += " cannot be asked: " + m.Error
	}
	return words
}

// nodeLines is the table of those nodes.
func (p picture) nodeLines(nodes []nodePicture, st style) []string {
	t := table{width: st.width, spare: []string{"ROLE", "STATE", "LINK"}}
	t.addText("NODE", "ROLE", "PHASE", "STATE", "COUNTDOWN", "LINK", "PROBLEM")
	for _, n := range nodes {
		t.add(cell{text: n.Name}, cell{text: n.Role}, cell{n.Phase, phasePaint(n.Phase)}, cell{n.State, statePaint(n.State)},
			cell{text: countdown(n.Deadline)}, cell{n.Link, linkPaint(n.Link)}, cell{text: n.note(p.Problems)})
	}
	return t.lines(st.colour)
}

// words are what a problem is on, its name, since when, and what to do.
func (one problemPicture) words() string {
	long := ""
	if one.Age != nil {
		long = ", for " + span(toDuration(*one.Age))
	}
	return fmt.Sprintf("%s: %s%s: %s", one.On, one.Name, long, one.Text)
}

// weakWords say how much was never proved, and who tells more.
func (p picture) weakWords() string {
	switch n := len(p.Weaknesses); n {
	case 0:
		return ""
	case 1:
		return "1 thing was never proved or is a known limit: upsctl doctor"
	default:
		return fmt.Sprintf("%d things were never proved or are known limits: upsctl doctor", n)
	}
}

// note says what is special about a UPS, in a word or two.
func (u upsPicture) note(reachable bool) string {
	notes := u.notes(reachable)
	if words := u.margin(span); words != "" && reachable {
		notes = append(notes, words)
	}
	return strings.Join(notes, ", ")
}

// margin says how long the battery outlasts the last machine; empty: nobody knows.
func (u upsPicture) margin(words func(time.Duration) string) string {
	switch {
	case u.Margin == nil:
		return ""
	case *u.Margin < 0:
		return "too short by " + words(toDuration(-*u.Margin))
	default:
		return "margin " + words(toDuration(*u.Margin))
	}
}

func (u upsPicture) notes(reachable bool) []string {
	var notes []string
	for _, n := range []struct {
		yes  bool
		text string
	}{{!reachable, "last heard"}, {u.Sim, "sim"}, {u.Drill, "drill"}, {u.Weak, "weak battery"}} {
		if n.yes {
			notes = append(notes, n.text)
		}
	}
	if u.Charge != nil && *u.Charge < 100 {
		notes = append(notes, fmt.Sprintf("charge %d%%", *u.Charge))
	}
	if u.Disabled != nil {
		notes = append(notes, "disabled for "+span(toDuration(u.Disabled.Remaining)))
	}
	return notes
}

// note says what is special about a node: how it is known to be off, who holds it, whom it waits for, its
// problems by name (their texts stand below the table).
func (n nodePicture) note(problems []problemPicture) string {
	var notes []string
	if n.Off != "" {
		notes = append(notes, "off ("+n.Off+")")
	}
	switch {
	case n.Comeback == nil:
	case n.Comeback.Tries > 0:
		notes = append(notes, fmt.Sprintf("woken %dx", n.Comeback.Tries))
	default:
		notes = append(notes, "to come back")
	}
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
