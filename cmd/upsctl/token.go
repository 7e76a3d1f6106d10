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

func (c *cli) tokenCmd() *cobra.Command {
	var role, replace string
	var ttl time.Duration
	create := &cobra.Command{
		Use: "create [--role agent|operator|viewer] [--ttl 15m] [--replace NODE]", Short: "a token by which one machine or person joins",
		Long: `Prints a token: one line that lets one machine or person in, once, within --ttl. It
is a secret. A machine joins by it with upsagent join, a person with upsctl join:
an operator may look and act, a viewer look.

A machine that was set up anew has a new key, and its name is taken: make the token
with --replace NAME, which cuts the old key off.`,
		Example: `  upsctl token create
  upsctl token create --role operator --ttl 1h
  upsctl token create --replace web1`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req := &upsv1.CreateTokenRequest{Ttl: durationpb.New(ttl), Replace: replace}
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
	create.Flags().StringVar(&replace, "replace", "", "for the machine of that `NODE`, set up anew")
	flagWords(create, "role", words("agent", "operator", "viewer"))
	flagWords(create, "replace", c.nodeNames)
	flagWords(create, "ttl", nothing)
	return group("token", "tokens to join by", create, c.tokenListCmd(), c.tokenRevokeCmd())
}

func (c *cli) tokenListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "the tokens that still let somebody in",
		Long: `Lists the tokens that were made and still let somebody in: by an id that is no
secret, for whom, for how long, and who used it already.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context()) },
	}
}

func (c *cli) tokenRevokeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID...", Short: "end tokens, by the ids that list shows",
		Long: `Ends tokens before their time. Who has joined by one stays; to cut somebody off:
upsctl node remove.`,
		Args: arguments(1, -1), ValidArgsFunction: c.tokenIDs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			return c.ask(cmd.Context(), "revoke a token", func(ctx context.Context, conn *grpc.ClientConn) error {
				for _, id := range ids {
					if _, err := upsv1.NewControlServiceClient(conn).RevokeToken(ctx, &upsv1.RevokeTokenRequest{Id: id}); err != nil {
						return err
					}
				}
				return c.done(nil, "revoked", doneNodes, ids...)
			})
		},
	}
}

func (c *cli) listTokens(ctx context.Context) error {
	return c.ask(ctx, "list the tokens", func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := upsv1.NewControlServiceClient(conn).ListTokens(ctx, &upsv1.ListTokensRequest{})
		if err != nil {
			return err
		}
		if c.json {
			all := []map[string]any{}
			for _, t := range resp.GetTokens() {
				all = append(all, map[string]any{
					"id": t.GetId(), "role": tokenRole(t), "left_seconds": t.GetLeft().AsDuration().Seconds(),
					"replace": t.GetReplace(), "used_by": t.GetUsedBy(),
				})
			}
			return writeJSON(c.out, all, "  ")
		}
		if len(resp.GetTokens()) == 0 {
			fmt.Fprintln(c.err, "no token lets anybody in; make one with 'upsctl token create'")
			return nil
		}
		t := table{}
		t.addText("TOKEN", "FOR", "LEFT", "REPLACES", "USED BY")
		for _, one := range resp.GetTokens() {
			t.addText(one.GetId(), tokenRole(one), span(one.GetLeft().AsDuration()), one.GetReplace(), one.GetUsedBy())
		}
		t.write(c.out, c.colour())
		return nil
	})
}

// tokenRole names whom a token is for as --role does.
func tokenRole(t *upsv1.TokenInfo) string {
	if t.GetRole() == upsv1.Role_ROLE_NODE {
		return "agent"
	}
	return strings.ToLower(strings.TrimPrefix(t.GetRole().String(), "ROLE_"))
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
