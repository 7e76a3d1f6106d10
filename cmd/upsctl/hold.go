package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) holdCmd() *cobra.Command {
	var long time.Duration
	cmd := &cobra.Command{
		Use: "hold [--for 30m] NODE...", Short: "keep nodes from going down; BATLOW goes over it",
		Long: `Keeps nodes up although the power has failed: for a backup that must end, or while
you work on the UPS. A hold ends by itself after --for, by release, or when the
battery is low; power that fails meanwhile is not forgotten, and a node that is
released counts from the moment it failed.`,
		Example: `  upsctl hold nas1
  upsctl hold --for 2h web1 web2`,
		Args: arguments(1, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			if err := positive(cmd, "for", long); err != nil {
				return err
			}
			return c.ask(cmd.Context(), "hold", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).Hold(ctx, &upsv1.HoldRequest{Nodes: nodes, For: durationpb.New(long)})
				return c.done(err, fmt.Sprintf("held for %s", span(long)), doneNodes, nodes...)
			})
		},
	}
	cmd.Flags().DurationVar(&long, "for", 30*time.Minute, "how `long`; every hold ends")
	return cmd
}

func (c *cli) releaseCmd() *cobra.Command {
	return &cobra.Command{
		Use: "release NODE...", Short: "end holds, and the tries to wake machines",
		Long: `Ends holds before their time, and the tries to wake a machine that an outage put down. In an outage a node then goes when its grace is over,
counted from the moment the power failed; that may be at once.`,
		Example: "  upsctl release nas1",
		Args:    arguments(1, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			return c.ask(cmd.Context(), "release", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).Release(ctx, &upsv1.ReleaseRequest{Nodes: nodes})
				return c.done(err, "released", doneNodes, nodes...)
			})
		},
	}
}

// done says what was done to whom. In JSON nodes are a list; a UPS is one.
func (c *cli) done(err error, what, key string, names ...string) error {
	var whom any = names
	if key == doneUPS {
		whom = names[0]
	}
	switch {
	case err != nil:
		return err
	case c.json:
		return writeJSON(c.out, map[string]any{"done": what, key: whom}, "  ")
	default:
		fmt.Fprintf(c.out, "%s: %s\n", what, clean(strings.Join(names, ", ")))
		return nil
	}
}

// The keys of done.
const (
	doneNodes = "nodes"
	doneUPS   = "ups"
)
