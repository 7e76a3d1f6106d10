package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) nodeCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "the nodes on the roster, and their contact",
		Long: `Lists every node that was admitted: its role, its link to the master (up, lost, off:
it said that it goes), how long ago it was heard and which UPSes it lives on.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.look(cmd.Context(), false)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.out, p.Nodes, "  ")
			}
			if len(p.Nodes) == 0 {
				fmt.Fprintln(c.err, "no node has joined; make a token for one with 'upsctl token create'")
				return nil
			}
			t := table{}
			t.addText("NODE", "ROLE", "LINK", "HEARD", "FEEDS")
			for _, n := range p.Nodes {
				heard := "-"
				if n.LastHeard != nil {
					heard = span(toDuration(*n.LastHeard))
				}
				t.add(cell{text: n.Name}, cell{text: n.Role}, cell{n.Link, linkPaint(n.Link)},
					cell{text: heard}, cell{text: strings.Join(n.Feeds, " ")})
			}
			t.write(c.out, c.colour())
			return nil
		},
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "cut a node or a person off, at once and for ever",
		Long: `Takes a member off the roster. Its key is never admitted again, by the master or by
any node; the machine joins again by a new token. A node that was removed hears of
no power failure.`,
		Example: "  upsctl node remove web9",
		Args:    arguments(1, 1), ValidArgsFunction: onlyFirst(c.nodeNames),
		RunE: func(cmd *cobra.Command, names []string) error {
			return c.ask(cmd.Context(), "remove", func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := upsv1.NewControlServiceClient(conn).RemoveMember(ctx, &upsv1.RemoveMemberRequest{Name: names[0]})
				return c.done(err, "removed", doneNodes, names...)
			})
		},
	}
	return group("node", "the rack's nodes", list, remove)
}
