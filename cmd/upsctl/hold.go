package main

import (
	"context"
	"fmt"
	"slices"
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
		Args: arguments(1, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			if err := positive(cmd, "for", long); err != nil {
				return err
			}
			return c.ask(cmd.Context(), "hold", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).Hold(ctx, &upsv1.HoldRequest{Nodes: nodes, For: durationpb.New(long)})
				return c.done(err, fmt.Sprintf("held for %s", span(long)), nodes)
			})
		},
	}
	cmd.Flags().DurationVar(&long, "for", 30*time.Minute, "how `long`; every hold ends")
	return cmd
}

func (c *cli) releaseCmd() *cobra.Command {
	return &cobra.Command{
		Use: "release NODE...", Short: "end holds",
		Args: arguments(1, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			return c.ask(cmd.Context(), "release", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).Release(ctx, &upsv1.ReleaseRequest{Nodes: nodes})
				return c.done(err, "released", nodes)
			})
		},
	}
}

// done says what was done to whom.
func (c *cli) done(err error, what string, nodes []string) error {
	switch {
	case err != nil:
		return err
	case c.json:
		return writeJSON(c.out, map[string]any{"done": what, "nodes": nodes}, "  ")
	default:
		fmt.Fprintf(c.out, "%s: %s\n", what, clean(strings.Join(nodes, ", ")))
		return nil
	}
}

// beginning returns the names that complete what was begun.
func beginning(begun string, names []string) ([]string, cobra.ShellCompDirective) {
	other := func(name string) bool { return !strings.HasPrefix(name, begun) }
	return slices.DeleteFunc(names, other), cobra.ShellCompDirectiveNoFileComp
}

// nodeNames completes the names of nodes.
func (c *cli) nodeNames(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	p, err := c.look(cmd.Context(), false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, n := range p.Nodes {
		names = append(names, clean(n.Name))
	}
	return beginning(begun, names)
}
