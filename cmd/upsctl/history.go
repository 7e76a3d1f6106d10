package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// historyPatience is how long the master may read its journal: longer than it gives
// itself.
const historyPatience = 25 * time.Second

func (c *cli) historyCmd() *cobra.Command {
	return &cobra.Command{
		Use: "history [last | ID]", Short: "the outages there were; one in full",
		Long: `history lists the outages on record, the newest first, and tells one in full: the
last, or the one whose id begins with ID. Times count from the moment the power
failed; those with a ~ are by the clock on the master's wall, because its own
machine was off in between.`,
		Args: arguments(0, 1), ValidArgsFunction: c.outageIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &upsv1.GetHistoryRequest{}
			switch {
			case len(args) == 1 && args[0] == "last":
				req.Last = 1
			case len(args) == 1 && args[0] == "":
				return usageError{"an outage's id is not empty", seeHelp(cmd)}
			case len(args) == 1:
				req.Outage = args[0]
			}
			h, err := c.history(cmd.Context(), req)
			if err != nil {
				return err
			}
			return c.printHistory(h, len(args) == 1)
		},
	}
}

// history asks for outages.
func (c *cli) history(ctx context.Context, req *upsv1.GetHistoryRequest) (*upsv1.GetHistoryResponse, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, historyPatience)
	defer cancel()
	h, err := upsv1.NewControlServiceClient(conn).GetHistory(ctx, req)
	return h, mastersOwn("read the history", err)
}

// mastersOwn is refused for what only a master keeps.
func mastersOwn(what string, err error) error {
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("cannot %s: the master keeps it, and this is not the master's socket; ask on the master's host, or join the master ('upsctl join')", what)
	}
	return refused(what, err)
}

// outageIDs completes the ids of outages.
func (c *cli) outageIDs(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return onlyFirst(c.named(func(ctx context.Context, conn *grpc.ClientConn) []string {
		ids := []string{"last"}
		resp, _ := upsv1.NewControlServiceClient(conn).GetHistory(ctx, &upsv1.GetHistoryRequest{})
		for _, o := range resp.GetOutages() {
			ids = append(ids, o.GetOutage())
		}
		return ids
	}))(cmd, given, begun)
}

func (c *cli) printHistory(h *upsv1.GetHistoryResponse, inFull bool) error {
	if c.json {
		return writeJSON(c.out, historyJSON(h), "  ")
	}
	switch {
	case len(h.GetOutages()) == 0:
		fmt.Fprintln(c.out, "no outage is on record")
	case inFull:
		c.printStory(h.GetOutages()[0])
	default:
		c.printOutages(h.GetOutages())
	}
	if h.GetWarning() != "" {
		fmt.Fprint(c.err, wrap(clean("note: "+h.GetWarning())))
	}
	return nil
}

// printOutages writes the table of outages.
func (c *cli) printOutages(all []*upsv1.OutageReport) {
	t := table{}
	t.addText("BEGAN", "UPS", "LASTED", "LOW", "DOWN", "SLOWEST", "OUTAGE")
	for _, o := range all {
		s := story{o, c.began(o)}
		lasted := s.since(o.GetLasted())
		switch {
		case o.GetGoingOn():
			lasted = "goes on"
		case o.GetLasted() == nil:
			lasted = "?"
		}
		ups := o.GetUps()
		if o.GetSim() {
			ups += " (sim)"
		}
		t.addText(shortDate(s.began, c.now()), ups, lasted, s.since(o.GetLowAfter()), s.down(), s.slowest(), o.GetOutage())
	}
	t.write(c.out, false)
}

// began returns when an outage began, on this user's clock.
func (c *cli) began(o *upsv1.OutageReport) time.Time {
	t, _ := time.Parse(time.RFC3339, o.GetBegan())
	return t.In(c.now().Location())
}

// shortDate writes a moment in twelve characters, as ls(1) does: with the time if it
// was in the last half year, else with the year.
func shortDate(t, now time.Time) string {
	if age := now.Sub(t); age > 183*24*time.Hour || age < -24*time.Hour {
		return t.Format("Jan _2  2006")
	}
	return t.Format("Jan _2 15:04")
}

// story is an outage as it is shown.
type story struct {
	*upsv1.OutageReport
	began time.Time
}

// since writes a time after the beginning; "-": it did not happen.
func (s story) since(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	if s.rough(d) {
		return "~" + fine(d.AsDuration())
	}
	return fine(d.AsDuration())
}

// rough reports whether a time is by a wall clock.
func (s story) rough(d *durationpb.Duration) bool {
	return s.GetMasterOff() != nil && d.AsDuration() > s.GetMasterOff().AsDuration()
}

// fine writes a duration, with its tenths where they matter.
func fine(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return span(d)
}

// down says how many nodes went, of those that were there.
func (s story) down() string {
	of, down := 0, 0
	for _, n := range s.GetNodes() {
		if !n.GetAbsent() || n.GetCommitted() != nil {
			of++
		}
		if n.GetDown() != nil || n.GetWent() {
			down++
		}
	}
	return fmt.Sprintf("%d of %d", down, of)
}

// slowest names who took longest from asking to being off.
func (s story) slowest() string {
	name, longest := "-", time.Duration(-1)
	for _, n := range s.GetNodes() {
		if took, ok := took(n); ok && took > longest {
			name, longest = n.GetName()+" "+fine(took), took
		}
	}
	return name
}

// took returns how long a node took from asking to being off.
func took(n *upsv1.NodeStory) (d time.Duration, ok bool) {
	if n.GetCommitted() == nil || n.GetDown() == nil {
		return 0, false
	}
	return n.GetDown().AsDuration() - n.GetCommitted().AsDuration(), true
}

// printStory writes one outage in full: in a line, line by line, node by node.
func (c *cli) printStory(o *upsv1.OutageReport) {
	s := story{o, c.began(o)}
	kind := "outage"
	if o.GetSim() {
		kind = "pretended outage"
	}
	fmt.Fprint(c.out, wrap(clean(fmt.Sprintf("%s %s of ups %s, %s", kind, o.GetOutage(), o.GetUps(), s.began.Format("Mon Jan _2 2006, 15:04:05")))))
	fmt.Fprint(c.out, wrap(clean(o.GetSummary())))
	fmt.Fprintln(c.out)
	lines := table{}
	for _, l := range s.lines() {
		mark := "+"
		if l.rough {
			mark = "~"
		}
		if l.at < 0 {
			lines.addText("", "", l.text)
			continue
		}
		lines.addText(s.began.Add(l.at).Format("15:04:05"), mark+fine(l.at), l.text)
	}
	lines.write(c.out, false)
	if len(o.GetNodes()) == 0 {
		return
	}
	fmt.Fprintln(c.out)
	nodes := table{}
	nodes.addText("NODE", "ASKED", "ACCEPTED", "DOWN", "TOOK", "BACK", "")
	for _, n := range o.GetNodes() {
		long := "-"
		if d, ok := took(n); ok {
			long = fine(d)
		}
		nodes.addText(n.GetName(), s.since(n.GetCommitted()), s.since(n.GetAccepted()), s.since(n.GetDown()), long, s.since(n.GetBack()), remark(n))
	}
	nodes.write(c.out, false)
}

// remark says what the times of a node don't.
func remark(n *upsv1.NodeStory) string {
	var all []string
	if n.GetAbsent() {
		all = append(all, "not attached")
	}
	if n.GetLost() != nil && n.GetNote() == "" {
		all = append(all, "lost")
	}
	if n.GetNote() != "" {
		all = append(all, n.GetNote())
	}
	return strings.Join(all, ", ")
}

// storyLine is one line of a story.
type storyLine struct {
	at    time.Duration // negative: now
	rough bool
	text  string
}

// lines returns what happened, in order.
func (s story) lines() []storyLine {
	all := []storyLine{{text: "the power failed"}}
	add := func(d *durationpb.Duration, text string) {
		if d != nil {
			all = append(all, storyLine{d.AsDuration(), s.rough(d), text})
		}
	}
	add(s.GetLowAfter(), "the battery was low")
	for _, n := range s.GetNodes() {
		add(n.GetLost(), n.GetName()+" was lost")
		add(n.GetCommitted(), n.GetName()+" asked to power off")
		add(n.GetAccepted(), n.GetName()+": its system accepted")
		add(n.GetDown(), n.GetName()+" was down")
	}
	add(s.GetMasterOff(), "the master's machine went off")
	add(s.GetLasted(), "the power was back")
	for _, n := range s.GetNodes() {
		text := " was back"
		if n.GetAbsent() && n.GetDown() == nil {
			text = " attached"
		}
		add(n.GetBack(), n.GetName()+text)
	}
	slices.SortStableFunc(all, func(a, b storyLine) int { return cmp.Compare(a.at, b.at) })
	if s.GetGoingOn() {
		all = append(all, storyLine{at: -1, text: "it is not over"})
	}
	return all
}

// historyJSON returns outages for programs.
func historyJSON(h *upsv1.GetHistoryResponse) any {
	outages := []map[string]any{}
	for _, o := range h.GetOutages() {
		nodes := []map[string]any{}
		for _, n := range o.GetNodes() {
			nodes = append(nodes, map[string]any{
				"name": n.GetName(), "absent": n.GetAbsent(), "note": n.GetNote(), "went": n.GetDown() != nil || n.GetWent(),
				"committed_seconds": seconds(n.GetCommitted()), "accepted_seconds": seconds(n.GetAccepted()),
				"down_seconds": seconds(n.GetDown()), "back_seconds": seconds(n.GetBack()), "lost_seconds": seconds(n.GetLost()),
			})
		}
		outages = append(outages, map[string]any{
			"outage": o.GetOutage(), "ups": o.GetUps(), "began": o.GetBegan(), "sim": o.GetSim(), "going_on": o.GetGoingOn(),
			"lasted_seconds": seconds(o.GetLasted()), "low_after_seconds": seconds(o.GetLowAfter()),
			"master_off_seconds": seconds(o.GetMasterOff()), "summary": o.GetSummary(), "nodes": nodes,
		})
	}
	return map[string]any{"outages": outages, "warning": h.GetWarning()}
}
