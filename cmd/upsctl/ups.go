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

func (c *cli) upsCmd() *cobra.Command {
	var long time.Duration
	disable := &cobra.Command{
		Use: "disable [--for 30m] NAME", Short: "don't look at a UPS for a while",
		Long: `Makes a UPS blind, so that its cable or its battery can be changed without anybody
going down: its nodes keep what they heard last, unless they have a blind_limit that
is shorter. It ends by itself after --for, or by enable. It is refused while the UPS
is on battery, and it is a problem while it lasts: nobody would notice that the power
fails.`,
		Example: "  upsctl ups disable --for 10m main",
		Args:    arguments(1, 1), ValidArgsFunction: onlyFirst(c.upsNames),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := positive(cmd, "for", long); err != nil {
				return err
			}
			return c.ask(cmd.Context(), "disable", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).DisableUps(ctx, &upsv1.DisableUpsRequest{Ups: names[0], For: durationpb.New(long)})
				return c.done(err, fmt.Sprintf("disabled for %s", span(long)), doneUPS, names[0])
			})
		},
	}
	disable.Flags().DurationVar(&long, "for", 30*time.Minute, "how `long` at most")
	flagWords(disable, "for", nothing)
	return group("ups", "a UPS whose cable or battery is to be changed", disable, c.upsEnableCmd())
}

func (c *cli) upsEnableCmd() *cobra.Command {
	var renewed bool
	enable := &cobra.Command{
		Use: "enable [--new-battery] NAME", Short: "look at a UPS again",
		Long: `Ends disable before its time. The UPS is believed when it has been read for as long as
always.

With --new-battery what outages have shown of the old one is forgotten, and the new
one counts as half full until it has been recharged.`,
		Example: `  upsctl ups enable main
  upsctl ups enable --new-battery main`,
		Args: arguments(1, 1), ValidArgsFunction: onlyFirst(c.upsNames),
		RunE: func(cmd *cobra.Command, names []string) error {
			return c.ask(cmd.Context(), "enable", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).EnableUps(ctx, &upsv1.EnableUpsRequest{Ups: names[0], NewBattery: renewed})
				return c.done(err, "enabled", doneUPS, names[0])
			})
		},
	}
	enable.Flags().BoolVar(&renewed, "new-battery", false, "it has another battery now")
	return enable
}
