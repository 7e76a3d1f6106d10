package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) planCmd() *cobra.Command {
	return &cobra.Command{
		Use: "plan [UPS…]", Short: "what would happen if the power failed now",
		Long: `plan foresees, by the master's own rules and in no time, what would happen if the
mains of all UPSes, or of those that are named, failed now and stayed away: who
counts down and who waits for whom, when each machine is off at the latest, when the
load is cut, and how long the battery would last after that: the margin. In an
outage it tells how that one goes on. Nothing is done.

What was assumed stands below. Times with "low+" count from the moment at which the
battery is low, where nobody can say when that comes.

Exit status: 0 there is time for everybody, or nobody can say; 1 could not ask;
3 a machine would not be off before the battery's expected end.`,
		Example: `  upsctl plan
  upsctl plan --json | jq '.ups[] | {name, margin_seconds}'`,
		Args: arguments(0, -1), ValidArgsFunction: c.planUPS,
		RunE: func(cmd *cobra.Command, args []string) error {
			var f foreseen
			err := c.ask(cmd.Context(), "plan", func(ctx context.Context, conn *grpc.ClientConn) error {
				resp, err := upsv1.NewControlServiceClient(conn).Plan(ctx, &upsv1.PlanRequest{Ups: args})
				f = newForeseen(resp)
				return err
			})
			if err != nil {
				return err
			}
			if c.json {
				if err := writeJSON(c.out, f, "  "); err != nil {
					return err
				}
			} else {
				f.print(c.out, c.style())
			}
			return f.verdict()
		},
	}
}

// planUPS completes the names of UPSes.
func (c *cli) planUPS(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.named(func(ctx context.Context, conn *grpc.ClientConn) []string {
		var names []string
		resp, _ := upsv1.NewPowerServiceClient(conn).GetStatus(ctx, &upsv1.GetStatusRequest{})
		for _, m := range resp.GetMasters() {
			for _, u := range m.GetUps() {
				if !slices.Contains(given, u.GetName()) {
					names = append(names, u.GetName())
				}
			}
		}
		return names
	})(cmd, given, begun)
}

// foreseen is what would happen: the form of `plan --json`.
type foreseen struct {
	GoingOn  bool            `json:"going_on"`
	Events   []foreseenEvent `json:"events"`
	UPS      []foreseenUPS   `json:"ups"`
	Warnings []string        `json:"warnings"`
}

type foreseenEvent struct {
	At       float64 `json:"at_seconds"`
	AfterLow bool    `json:"after_low"`
	On       string  `json:"on"`
	Kind     string  `json:"kind"`
	Text     string  `json:"text"`
}

type foreseenUPS struct {
	Name      string   `json:"name"`
	Margin    *float64 `json:"margin_seconds"`
	End       *float64 `json:"end_seconds"`
	LastOff   *float64 `json:"last_off_seconds"`
	Last      string   `json:"last"`
	Cut       *float64 `json:"cut_seconds"`
	LowMargin *float64 `json:"low_margin_seconds"`
	AfterLow  bool     `json:"after_low"`
}

func newForeseen(r *upsv1.PlanResponse) foreseen {
	f := foreseen{GoingOn: r.GetGoingOn(), Events: []foreseenEvent{}, UPS: []foreseenUPS{}, Warnings: notNil(r.GetWarnings())}
	for _, e := range r.GetEvents() {
		f.Events = append(f.Events, foreseenEvent{e.GetAt().AsDuration().Seconds(), e.GetAfterLow(), e.GetOn(), e.GetKind(), e.GetText()})
	}
	for _, u := range r.GetUps() {
		f.UPS = append(f.UPS, foreseenUPS{
			u.GetUps(), seconds(u.GetMargin()), seconds(u.GetEnd()), seconds(u.GetLastOff()), u.GetLast(),
			seconds(u.GetCut()), seconds(u.GetLowMargin()), u.GetAfterLow(),
		})
	}
	return f
}

// verdict turns it into the exit status.
func (f foreseen) verdict() error {
	if slices.ContainsFunc(f.UPS, func(u foreseenUPS) bool { return u.Margin != nil && *u.Margin < 0 }) {
		return errAttention
	}
	return nil
}

// when writes a moment: "5m", "low+20s".
func when(seconds float64, afterLow bool) string {
	s := span(toDuration(seconds))
	if afterLow {
		return "low+" + s
	}
	return s
}

// planRow is one line of the timeline: those to whom the same happens at once are one.
type planRow struct {
	when, kind, text string
	who              []string
}

func (f foreseen) rows() []planRow {
	var rows []planRow
	for _, e := range f.Events {
		who := strings.TrimPrefix(e.On, "node/")
		if ups, is := strings.CutPrefix(e.On, "ups/"); is {
			who = "ups " + ups
		}
		at := when(e.At, e.AfterLow)
		i := slices.IndexFunc(rows, func(r planRow) bool { return r.when == at && r.kind == e.Kind && r.text == e.Text })
		if i < 0 {
			i, rows = len(rows), append(rows, planRow{when: at, kind: e.Kind, text: e.Text})
		}
		rows[i].who = append(rows[i].who, who)
	}
	return rows
}

// words name four at most.
func (r planRow) words() string {
	const most = 4
	if more := len(r.who) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(r.who[:most], ", "), more)
	}
	return strings.Join(r.who, ", ")
}
