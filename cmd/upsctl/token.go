package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) tokenCmd() *cobra.Command {
	var role string
	var ttl time.Duration
	create := &cobra.Command{
		Use: "create [--role agent|operator|viewer] [--ttl 15m]", Short: "a token by which one machine or person joins",
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req := &upsv1.CreateTokenRequest{Ttl: durationpb.New(ttl)}
			switch role {
			case "agent":
				req.Role = upsv1.Role_ROLE_NODE
			case "operator":
				req.Role = upsv1.Role_ROLE_OPERATOR
			case "viewer":
				req.Role = upsv1.Role_ROLE_VIEWER
			default:
				return usageError{fmt.Sprintf("--role %q is none", role), "write --role agent, operator or viewer"}
			}
			if err := positive(cmd, "ttl", ttl); err != nil {
				return err
			}
			return c.createToken(cmd.Context(), req, role)
		},
	}
	create.Flags().StringVar(&role, "role", "agent", "for an `agent`, an operator or a viewer")
	create.Flags().DurationVar(&ttl, "ttl", 15*time.Minute, "how `long` it is good for")
	return group("token", "tokens to join by", create)
}

func (c *cli) createToken(ctx context.Context, req *upsv1.CreateTokenRequest, role string) error {
	return c.ask(ctx, "make a token", func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := upsv1.NewControlServiceClient(conn).CreateToken(ctx, req)
		if err != nil {
			return err
		}
		if c.json {
			return writeJSON(c.out, map[string]any{
				"token": resp.GetToken(), "role": role, "ttl_seconds": resp.GetTtl().AsDuration().Seconds(),
			}, "  ")
		}
		// The token alone on stdout, so that TOKEN=$(upsctl token create) works.
		fmt.Fprintln(c.out, clean(resp.GetToken()))
		if role == "agent" {
			fmt.Fprintf(c.err, "for one machine, within %s: upsagent join TOKEN\n", span(resp.GetTtl().AsDuration()))
		} else {
			fmt.Fprintf(c.err, "for one %s, within %s\n", role, span(resp.GetTtl().AsDuration()))
		}
		return nil
	})
}
