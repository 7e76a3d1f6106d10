package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) eventsCmd() *cobra.Command {
	var follow bool
	var last uint32
	var on, kind string
	cmd := &cobra.Command{
		Use: "events [--follow] [--last 100]", Short: "what happened, oldest first",
		Long: `Shows what the master wrote into its journal: states of the UPSes, phases and links
of the nodes, orders, problems that came and went, outages.`,
		Example: `  upsctl events --follow
  upsctl events --last 1000 --on node/web1
  upsctl events --kind problem`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := c.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			// No limit: following has no end but the caller's.
			stream, err := upsv1.NewControlServiceClient(conn).StreamEvents(cmd.Context(), &upsv1.StreamEventsRequest{Follow: follow, Last: last})
			for err == nil {
				var e *upsv1.StreamEventsResponse
				if e, err = stream.Recv(); err == nil && (on == "" || on == e.GetOn()) && (kind == "" || kind == e.GetKind()) {
					err = c.printEvent(e)
				}
			}
			if errors.Is(err, io.EOF) || cmd.Context().Err() != nil {
				return nil
			}
			return mastersOwn("read the events", err)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with each new one")
	cmd.Flags().Uint32Var(&last, "last", 100, "how `many` of the newest to begin with")
	cmd.Flags().StringVar(&on, "on", "", "of these, only those on `WHAT`: node/web1, ups/main, master/rack1")
	cmd.Flags().StringVar(&kind, "kind", "", "of these, only those of this `KIND`: state, phase, link, problem, …")
	return cmd
}

// printEvent writes one event: when, how long ago, on what, and what.
func (c *cli) printEvent(e *upsv1.StreamEventsResponse) error {
	if c.json {
		return writeJSON(c.out, map[string]any{
			"seq": e.GetSeq(), "age_seconds": seconds(e.GetAge()), "wall": e.GetWall(),
			"on": e.GetOn(), "kind": e.GetKind(), "text": e.GetText(),
		}, "")
	}
	when, ago := e.GetWall(), ""
	if t, err := time.Parse(time.RFC3339, when); err == nil {
		when = t.In(c.now().Location()).Format("Jan _2 15:04:05")
	}
	if age := e.GetAge().AsDuration(); age >= time.Second {
		ago = span(age)
	}
	head := fmt.Sprintf("%s %6s  %-12s ", clean(when), ago, clean(e.GetOn()))
	_, err := io.WriteString(c.out, head+hang(clean(e.GetKind()+": "+e.GetText()), utf8.RuneCountInString(head)))
	return err
}

// hang breaks text that begins in column at into lines of at most maxWidth, all but
// the first set in that far, or a little if there would be no room.
func hang(text string, at int) string {
	if at > maxWidth/2 {
		at = 4
		text = "\n" + strings.Repeat(" ", at) + text
	}
	var out strings.Builder
	col := at
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case col+1+n > maxWidth && col > at:
			out.WriteString("\n" + strings.Repeat(" ", at))
			col = at
		default:
			out.WriteString(" ")
			col++
		}
		out.WriteString(word)
		col += n
	}
	return out.String() + "\n"
}
