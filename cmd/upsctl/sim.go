package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) simCmd() *cobra.Command {
	return &cobra.Command{
		Use: "sim ok|fail|batlow [UPS]", Short: "set a UPS on a sim port; touches no wire",
		Long: `Makes a UPS whose port is "sim" say that it is on mains, on battery, or on battery
and nearly empty. Only nodes with obey_sim = true go down by it, and no line of any
cable is touched. Without a name: the only one on a sim port.`,
		Example: `  upsctl sim fail
  upsctl sim ok main`,
		Args: arguments(1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
			switch len(given) {
			case 0:
				return beginning(begun, []string{"ok", "fail", "batlow"})
			case 1:
				return c.upsNames(cmd, given, begun)
			default:
				return nothing(cmd, given, begun)
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			st, ok := simStates[args[0]]
			if !ok {
				return usageError{fmt.Sprintf("a UPS can't be %q", args[0]), "write ok, fail or batlow"}
			}
			req := &upsv1.SimulateRequest{Status: st}
			if len(args) > 1 {
				req.Ups = args[1]
			}
			return c.ask(cmd.Context(), "simulate", func(ctx context.Context, conn *grpc.ClientConn) error {
				resp, err := upsv1.NewControlServiceClient(conn).Simulate(ctx, req)
				switch {
				case err != nil:
					return err
				case c.json:
					return writeJSON(c.out, map[string]any{"ups": resp.GetUps(), "state": api.ToStatus(st).String()}, "  ")
				default:
					fmt.Fprintf(c.out, "ups %s reads %s now\n", clean(resp.GetUps()), api.ToStatus(st))
					return nil
				}
			})
		},
	}
}

var simStates = map[string]upsv1.Status{
	"ok":     upsv1.Status_STATUS_OK,
	"fail":   upsv1.Status_STATUS_FAIL,
	"batlow": upsv1.Status_STATUS_BATLOW,
}
