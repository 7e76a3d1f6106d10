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
		Args:      arguments(1, 2),
		ValidArgs: []string{"ok", "fail", "batlow"},
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
