package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) shutdownCmd() *cobra.Command {
	var yes, wake bool
	cmd := &cobra.Command{
		Use: "shutdown [--yes] [--wake] NODE...", Short: "shut nodes down now",
		Long: `Makes nodes run their hooks and power off now, whatever the power does. It asks
first; in a script write --yes.

With --wake they are woken as soon as they are off, by Wake-on-LAN or a hook, until they
are back or released: what an outage would need, proved on a quiet afternoon. One that
nothing could wake is refused.`,
		Example: `  upsctl shutdown web1 web2
  upsctl shutdown --wake web1
  upsctl shutdown --yes web1`,
		Args: arguments(1, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			if !yes {
				if err := c.confirm("shut down " + strings.Join(nodes, ", ") + " now?"); err != nil {
					return err
				}
			}
			return c.ask(cmd.Context(), "shut down", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).Shutdown(ctx, &upsv1.ShutdownRequest{Nodes: nodes, Wake: wake})
				if wake {
					return c.done(err, "told to shut down, and woken then", doneNodes, nodes...)
				}
				return c.done(err, "told to shut down", doneNodes, nodes...)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask whether it is meant")
	cmd.Flags().BoolVar(&wake, "wake", false, "wake them as soon as they are off, to see whether they come back")
	return cmd
}

// confirm asks on a terminal and takes nothing but y or yes for yes.
func (c *cli) confirm(question string) error {
	if !c.inTTY {
		return usageError{"nobody can be asked whether it is meant: this is no terminal", "write --yes if it is"}
	}
	fmt.Fprintf(c.err, "%s [y/N] ", clean(question))
	answer, _ := bufio.NewReader(c.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("not confirmed, nothing was done")
	}
}
