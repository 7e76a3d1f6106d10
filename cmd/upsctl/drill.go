package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (c *cli) drillCmd() *cobra.Command {
	var long time.Duration
	var low bool
	cmd := &cobra.Command{
		Use: "drill [--for 30s] [--batlow] [NODE...]", Short: "pretend a power failure, and see what every node would do",
		Long: `Pretends towards the nodes, or those named, that the power has failed. Each one
lives through it beside its real life, by its own settings, and tells what it would
have done and when. No machine goes down by it; only hooks marked drill = true are
run, with LASTWATT_DRILL=1: at the failure, at what follows, and when the pretended
power is back. A real failure ends it at once, and so does Ctrl-C.

TIME UP is when the node would go, or begin to wait for others, after the failure;
PLANNED is the same as its master foresees it by the node's settings; REACHED is how
far it came in the drill's time. With --batlow the battery is low 2s after the
failure, where the cable can say so.

Exit status: 0 everybody would act in time, 1 could not ask, 3 somebody is missing,
late or could not go, a hook failed, or the drill ended before its time.`,
		Example: `  upsctl drill
  upsctl drill --batlow --for 1m
  upsctl drill web1 db1`,
		Args: arguments(0, -1), ValidArgsFunction: c.nodeNames,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			if err := positive(cmd, "for", long); err != nil {
				return err
			}
			if long > api.DrillLong {
				return usageError{fmt.Sprintf("--for %s is too long", span(long)), fmt.Sprintf("a drill lasts %s at most", span(api.DrillLong))}
			}
			d, err := c.drill(cmd.Context(), &upsv1.DrillRequest{For: durationpb.New(long), Batlow: low, Nodes: nodes})
			if err != nil {
				return err
			}
			if c.json {
				if err := writeJSON(c.out, d, "  "); err != nil {
					return err
				}
			} else {
				d.print(c.out, c.colour())
			}
			return d.verdict()
		},
	}
	cmd.Flags().DurationVar(&long, "for", 30*time.Second, "how `long` the power is gone")
	cmd.Flags().BoolVar(&low, "batlow", false, "the battery is low soon after")
	return cmd
}

// drillPicture is what came of a drill: the form of `drill --json`.
type drillPicture struct {
	ID    string           `json:"id"`
	For   float64          `json:"for_seconds"`
	Low   *float64         `json:"low_seconds"`
	Ended string           `json:"ended,omitempty"` // why before its time
	Nodes []drilledPicture `json:"nodes"`
}

type drilledPicture struct {
	Name      string        `json:"name"`
	Missing   string        `json:"missing,omitempty"`
	Answered  *float64      `json:"answered_seconds"`
	Reached   string        `json:"reached"`
	Goes      *float64      `json:"goes_seconds"`
	Planned   *float64      `json:"planned_seconds"`
	Late      bool          `json:"late"`
	Steps     []drillStep   `json:"steps"`
	Ran       []drilledHook `json:"hooks"`
	LeftAside []string      `json:"hooks_not_run"`
	Methods   []string      `json:"methods"`
	Method    string        `json:"method,omitempty"`
	Cannot    string        `json:"cannot_power_off,omitempty"`
	LeftOut   string        `json:"left_out,omitempty"`
}

type drillStep struct {
	Phase  string  `json:"phase"`
	After  float64 `json:"after_seconds"`
	Reason string  `json:"reason"`
}

type drilledHook struct {
	ranHook
	Event string `json:"event"`
}

// drill asks the master for a drill and waits for its end.
func (c *cli) drill(ctx context.Context, req *upsv1.DrillRequest) (drillPicture, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return drillPicture{}, err
	}
	defer func() { _ = conn.Close() }()
	limit := req.GetFor().AsDuration() + api.DrillLimit + doctorSlack
	asked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.outTTY && !c.json {
		fmt.Fprintf(c.err, "the drill lasts %s, and then until the last hook has ended; Ctrl-C ends it\n", span(req.GetFor().AsDuration()))
	}
	var last *upsv1.DrillResponse
	stream, err := upsv1.NewControlServiceClient(conn).Drill(asked, req)
	for err == nil {
		var is *upsv1.DrillResponse
		if is, err = stream.Recv(); err == nil {
			last = is
		}
	}
	switch {
	case ctx.Err() != nil:
		return drillPicture{}, errors.New("cannot finish the drill: interrupted; it is over, and nothing has happened to any machine")
	case !errors.Is(err, io.EOF):
		if status.Code(err) == codes.PermissionDenied {
			return drillPicture{}, fmt.Errorf("cannot drill: %s; on a daemon's socket be root or of group lastwatt, else ask with an operator's key", api.Message(err))
		}
		return drillPicture{}, refused("drill", err)
	case !last.GetOver():
		return drillPicture{}, errors.New("cannot finish the drill: the master ended it without a last word; see its log")
	}
	d := drillResult(last)
	d.For = req.GetFor().AsDuration().Seconds()
	return d, nil
}

func drillResult(r *upsv1.DrillResponse) drillPicture {
	d := drillPicture{ID: r.GetId(), Low: seconds(r.GetLow()), Ended: r.GetEnded(), Nodes: []drilledPicture{}}
	for _, n := range r.GetNodes() {
		is := n.GetReport()
		p := drilledPicture{
			Name: n.GetName(), Missing: n.GetMissing(), Answered: seconds(n.GetAnswered()), Goes: seconds(is.GetGoes()),
			Planned: seconds(n.GetPlanned()), Late: n.GetLate(), Steps: []drillStep{}, Ran: []drilledHook{}, LeftAside: notNil(is.GetLeftAside()),
			Methods: notNil(n.GetMethods()), Method: is.GetMethod(), Cannot: is.GetCannotPowerOff(), LeftOut: is.GetLeftOut(),
		}
		reached := upsv1.Phase_PHASE_IDLE
		for _, s := range is.GetSteps() {
			reached = max(reached, s.GetPhase())
			p.Steps = append(p.Steps, drillStep{api.ToPhase(s.GetPhase()).String(), s.GetAfter().AsDuration().Seconds(), s.GetReason()})
		}
		if is != nil {
			p.Reached = api.ToPhase(reached).String()
		}
		for _, h := range is.GetRan() {
			p.Ran = append(p.Ran, drilledHook{ranHook{h.GetResult().GetName(), h.GetResult().GetError(), h.GetResult().GetTook().AsDuration().Seconds()}, h.GetEvent()})
		}
		d.Nodes = append(d.Nodes, p)
	}
	return d
}

// failed reports whether something is wrong with a node's part.
func (n drilledPicture) failed() bool {
	return n.Missing != "" || n.Late || n.Cannot != "" || n.LeftOut != "" ||
		slices.ContainsFunc(n.Ran, func(h drilledHook) bool { return h.Error != "" })
}

// verdict turns a drill into the exit status.
func (d drillPicture) verdict() error {
	if d.Ended != "" || slices.ContainsFunc(d.Nodes, drilledPicture.failed) {
		return errAttention
	}
	return nil
}
