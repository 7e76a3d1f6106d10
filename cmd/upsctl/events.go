package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) eventsCmd() *cobra.Command {
	var follow bool
	var last uint32
	cmd := &cobra.Command{
		Use: "events [--follow] [--last 100]", Short: "what happened, oldest first",
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
				if e, err = stream.Recv(); err == nil {
					err = c.printEvent(e)
				}
			}
			if errors.Is(err, io.EOF) || cmd.Context().Err() != nil {
				return nil
			}
			return refused("read the events", err)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with each new one")
	cmd.Flags().Uint32Var(&last, "last", 100, "how `many` of the newest to begin with")
	return cmd
}

func (c *cli) printEvent(e *upsv1.StreamEventsResponse) error {
	if c.json {
		return writeJSON(c.out, map[string]any{
			"seq": e.GetSeq(), "age_seconds": e.GetAge().AsDuration().Seconds(), "wall": e.GetWall(),
			"on": e.GetOn(), "kind": e.GetKind(), "text": e.GetText(),
		}, "")
	}
	_, err := fmt.Fprintf(c.out, "%s  %s  %s: %s\n", clean(e.GetWall()), clean(e.GetOn()), clean(e.GetKind()), clean(e.GetText()))
	return err
}
