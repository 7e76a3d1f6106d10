package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// doctorSlack is for what an examination takes beside the nodes' own limits.
const doctorSlack = 5 * time.Second

func (c *cli) doctorCmd() *cobra.Command {
	var noHooks bool
	cmd := &cobra.Command{
		Use: "doctor [--no-hooks]", Short: "would every machine go down, and come back?",
		Long: `Asks every node, by the master, whether it would go down now and come back, and
tells what outages have proved. It runs the hooks marked drill = true on every
node, for real and one after the other, with LASTWATT_DRILL=1; not on battery, and
a power failure ends them at once.

Exit status: 0 nothing was found, 1 could not ask, 3 there is a problem or
something that was never proved.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ex, err := c.examine(cmd.Context(), !noHooks)
			if err != nil {
				return err
			}
			if c.json {
				if err := writeJSON(c.out, ex, "  "); err != nil {
					return err
				}
			} else {
				ex.print(c.out, c.colour())
			}
			return ex.verdict()
		},
	}
	cmd.Flags().BoolVar(&noHooks, "no-hooks", false, "run no hook")
	return cmd
}

// checkup is what doctor found out: the form of `doctor --json`.
type checkup struct {
	Master   string         `json:"master"`      // who was asked; empty: no master
	Alone    bool           `json:"alone"`       // only this node was asked, by its agent
	Hooks    bool           `json:"drill_hooks"` // were to be run
	UPS      []upsCheckup   `json:"ups"`
	Nodes    []nodeCheckup  `json:"nodes"`
	Problems []foundPicture `json:"problems"` // and weaknesses, after them
}

type upsCheckup struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Cable   string `json:"cable"`
	HasLow  bool   `json:"has_low"`
	Sim     bool   `json:"sim"`
	Outages uint32 `json:"outages"`
	Last    string `json:"last_outage_end"` // wall clocks, RFC 3339; empty: never
	Low     string `json:"low_seen"`
	Kill    string `json:"kill_seen"`
}

type nodeCheckup struct {
	Name       string    `json:"name"`
	Role       string    `json:"role"`
	MasterHost bool      `json:"master_host"`
	Reached    bool      `json:"reached"`
	Took       *float64  `json:"reached_seconds"`
	Error      string    `json:"error,omitempty"` // why it could not be examined
	Guest      string    `json:"virtualization,omitempty"`
	State      string    `json:"state"`
	Phase      string    `json:"phase"`
	Cannot     string    `json:"cannot_power_off,omitempty"`
	Methods    []string  `json:"methods"`
	StopTime   float64   `json:"stop_time_seconds"`
	StopSeen   *float64  `json:"stop_time_measured_seconds"`
	Wake       []string  `json:"wake"`
	Outages    uint32    `json:"outages"`
	Last       string    `json:"last_outage"`
	LastWall   string    `json:"last_outage_end"`
	Back       string    `json:"back_seen"`
	Ran        []ranHook `json:"hooks"`
	LeftOut    string    `json:"hooks_left_out,omitempty"`
}

type ranHook struct {
	Name  string  `json:"name"`
	Error string  `json:"error,omitempty"`
	Took  float64 `json:"took_seconds"`
}

type foundPicture struct {
	On       string   `json:"on"`
	Name     string   `json:"name"`
	Text     string   `json:"text"`
	Do       string   `json:"do"`
	Weakness bool     `json:"weakness"`
	Age      *float64 `json:"age_seconds"`
}

// examine asks the master about everybody, or where only an agent can be asked, that
// node about itself.
func (c *cli) examine(ctx context.Context, hooks bool) (ex checkup, err error) {
	limit := 2*api.ExamineLimit + doctorSlack
	if hooks {
		limit += api.DrillLimit
		if c.outTTY && !c.json {
			fmt.Fprintln(c.err, "the drill hooks run now, on every node that has any; Ctrl-C ends them")
		}
	}
	err = c.askWithin(ctx, limit, "examine", func(asked context.Context, conn *grpc.ClientConn) error {
		r, err := upsv1.NewControlServiceClient(conn).Examine(asked, &upsv1.ExamineRequest{Drill: hooks})
		if err == nil {
			ex = rackCheckup(r)
		}
		if status.Code(err) == codes.Unimplemented {
			ex, err = examineAlone(asked, conn, hooks)
		}
		if status.Code(err) == codes.PermissionDenied {
			return fmt.Errorf("%s; on a daemon's socket be root or of group lastwatt, else ask with an operator's key", api.Message(err))
		}
		if ctx.Err() != nil {
			return errors.New("interrupted; drill hooks that still ran are being ended")
		}
		return err
	})
	ex.Hooks = hooks
	return ex, err
}

// examineAlone asks an agent about its own node.
func examineAlone(ctx context.Context, conn *grpc.ClientConn, hooks bool) (checkup, error) {
	client := upsv1.NewNodeServiceClient(conn)
	start := time.Now()
	self, err := client.GetNodeStatus(ctx, &upsv1.GetNodeStatusRequest{})
	if err != nil {
		return checkup{}, err
	}
	took := time.Since(start)
	answer, err := client.ExamineNode(ctx, &upsv1.ExamineNodeRequest{Drill: hooks})
	if err != nil {
		return checkup{}, err
	}
	ex := checkup{Alone: true, UPS: []upsCheckup{}, Problems: []foundPicture{}}
	for _, m := range self.GetMasters() {
		for _, u := range m.GetUps() {
			one := upsRow(u, nil)
			one.Name = m.GetName() + "/" + u.GetName()
			if m.GetLink() != upsv1.Link_LINK_UP {
				one.State, one.Reason = "UNKNOWN", "its master is out of touch: "+m.GetError()
			}
			ex.UPS = append(ex.UPS, one)
		}
	}
	st := answer.GetNode()
	ex.Nodes = []nodeCheckup{nodeExam(st, &upsv1.NodeExam{Name: st.GetName(), Took: durationpb.New(took), Answer: answer})}
	ex.find(st.GetReport().GetProblems())
	ex.sort()
	return ex, nil
}

// rackCheckup is a checkup from a master's answer.
func rackCheckup(r *upsv1.ExamineResponse) checkup {
	st := r.GetStatus()
	ex := checkup{Master: st.GetName(), UPS: []upsCheckup{}, Nodes: []nodeCheckup{}, Problems: []foundPicture{}}
	for _, u := range st.GetUps() {
		i := slices.IndexFunc(st.GetProofs(), func(p *upsv1.UpsProof) bool { return p.GetUps() == u.GetName() })
		if i < 0 {
			ex.UPS = append(ex.UPS, upsRow(u, nil))
		} else {
			ex.UPS = append(ex.UPS, upsRow(u, st.GetProofs()[i]))
		}
	}
	old := map[string]bool{} // what a node that is out of touch has reported, and answered anew
	for _, n := range st.GetNodes() {
		i := slices.IndexFunc(r.GetNodes(), func(x *upsv1.NodeExam) bool { return x.GetName() == n.GetName() })
		if i < 0 {
			ex.Nodes = append(ex.Nodes, nodeExam(n, &upsv1.NodeExam{Error: "nobody asked it"}))
		} else {
			ex.Nodes = append(ex.Nodes, nodeExam(n, r.GetNodes()[i]))
			if own := r.GetNodes()[i].GetAnswer(); own != nil && n.GetLink() != upsv1.Link_LINK_UP {
				for _, p := range n.GetReport().GetProblems() {
					old[p.GetOn()+" "+p.GetName()] = true
				}
				ex.find(own.GetNode().GetReport().GetProblems())
			}
		}
	}
	ex.find(slices.DeleteFunc(slices.Clone(st.GetProblems()), func(p *upsv1.Problem) bool { return old[p.GetOn()+" "+p.GetName()] }))
	ex.sort()
	return ex
}

func upsRow(u *upsv1.UpsState, p *upsv1.UpsProof) upsCheckup {
	return upsCheckup{
		Name: u.GetName(), State: api.ToStatus(u.GetStatus()).String(), Reason: u.GetReason(), Cable: u.GetCable(),
		HasLow: u.GetHasLow(), Sim: u.GetSim(),
		Outages: p.GetOutages(), Last: p.GetLastWall(), Low: p.GetLowWall(), Kill: p.GetKillWall(),
	}
}

// nodeExam puts together what the master knows of a node and what it says itself.
func nodeExam(st *upsv1.NodeStatus, x *upsv1.NodeExam) nodeCheckup {
	r := st.GetReport()
	if own := x.GetAnswer().GetNode().GetReport(); own != nil && st.GetLink() != upsv1.Link_LINK_UP {
		r = own // its master has not heard it for a while
	}
	n := nodeCheckup{
		Name: st.GetName(), Role: st.GetRole(), MasterHost: st.GetIsMasterHost(),
		Reached: x.GetAnswer() != nil || x.GetTook() != nil, Took: seconds(x.GetTook()), Error: x.GetError(),
		State: api.ToStatus(r.GetStatus()).String(), Phase: api.ToPhase(r.GetPhase()).String(),
		Cannot: x.GetAnswer().GetCannotPowerOff(), Methods: notNil(r.GetMethods()),
		StopTime: r.GetStopTime().AsDuration().Seconds(), StopSeen: seconds(st.GetProof().GetStopTime()), Wake: notNil(r.GetWake()),
		Outages: st.GetProof().GetOutages(), Last: st.GetProof().GetLastOutage(), LastWall: st.GetProof().GetLastWall(),
		Back: st.GetProof().GetBackWall(), Ran: []ranHook{}, LeftOut: x.GetAnswer().GetLeftOut(), Guest: st.GetVirtualization(),
	}
	for _, h := range x.GetAnswer().GetRan() {
		n.Ran = append(n.Ran, ranHook{h.GetName(), h.GetError(), h.GetTook().AsDuration().Seconds()})
	}
	return n
}

// find adds problems, each once.
func (ex *checkup) find(ps []*upsv1.Problem) {
	for _, p := range ps {
		kind, _ := health.Lookup(p.GetName())
		add := foundPicture{p.GetOn(), p.GetName(), p.GetText(), kind.Do, p.GetWeakness(), seconds(p.GetAge())}
		if !slices.ContainsFunc(ex.Problems, func(f foundPicture) bool { return f.On == add.On && f.Name == add.Name && f.Text == add.Text }) {
			ex.Problems = append(ex.Problems, add)
		}
	}
}

// sort puts problems before weaknesses, and what is one kind side by side.
func (ex *checkup) sort() {
	slices.SortStableFunc(ex.Problems, func(a, b foundPicture) int {
		if a.Weakness != b.Weakness {
			if a.Weakness {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
}

// dry reports whether a node never goes.
func (n nodeCheckup) dry() bool { return len(n.Methods) == 1 && n.Methods[0] == shutdown.MethodNone }

// verdict turns a checkup into the exit status.
func (ex checkup) verdict() error {
	sick := len(ex.Problems) > 0 || slices.ContainsFunc(ex.UPS, func(u upsCheckup) bool { return u.State != "OK" }) ||
		slices.ContainsFunc(ex.Nodes, func(n nodeCheckup) bool {
			return n.Error != "" || n.Cannot != "" || n.LeftOut != "" || n.State != "OK" ||
				slices.ContainsFunc(n.Ran, func(h ranHook) bool { return h.Error != "" })
		})
	if sick {
		return errAttention
	}
	return nil
}
