package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// alarmLimit is how long a test may take: a daemon gives each receiver 20 s, all side
// by side.
const alarmLimit = 30 * time.Second

func (c *cli) alarmCmd() *cobra.Command {
	return group("alarm", "try the alarms", &cobra.Command{
		Use: "test", Short: "send a test to everybody who is told by the daemon that is asked",
		Long: `upsctl alarm test has the daemon that is asked, the master or else the agent of this
machine, send a test message to everybody whom its file's [[alarm]] tables name, and
says of each whether it could be sent. Exit status 3: one could not, or there is none.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var results []*upsv1.AlarmResult
			file := "master.toml"
			err := c.askWithin(cmd.Context(), alarmLimit, "test the alarms", func(ctx context.Context, conn *grpc.ClientConn) error {
				resp, err := upsv1.NewControlServiceClient(conn).TestAlarms(ctx, &upsv1.TestAlarmsRequest{})
				if status.Code(err) != codes.Unimplemented {
					results = resp.GetResults()
					return err
				}
				file = "agent.toml"
				own, err := upsv1.NewNodeServiceClient(conn).TestNodeAlarms(ctx, &upsv1.TestNodeAlarmsRequest{})
				results = own.GetResults()
				return err
			})
			if err != nil {
				return err
			}
			return c.tested(results, file)
		},
	})
}

// tested says how each alarm went.
func (c *cli) tested(results []*upsv1.AlarmResult, file string) error {
	type one struct {
		To    string `json:"to"`
		Sent  bool   `json:"sent"`
		Error string `json:"error"`
	}
	all := []one{}
	well := len(results) > 0
	for _, r := range results {
		all = append(all, one{r.GetTo(), r.GetError() == "", r.GetError()})
		well = well && r.GetError() == ""
	}
	if c.json {
		if err := writeJSON(c.out, map[string]any{"alarms": all}, "  "); err != nil {
			return err
		}
	} else {
		for _, a := range all {
			said := "sent"
			if !a.Sent {
				said = "cannot be sent: " + a.Error
			}
			fmt.Fprintf(c.out, "%s: %s\n", clean(a.To), clean(said))
		}
		if len(all) == 0 {
			fmt.Fprintf(c.out, "nobody is told: write into %s\n[[alarm]]\nto = \"ntfy://ntfy.sh/TOPIC\"\n", file)
		}
	}
	if !well {
		return errAttention
	}
	return nil
}
