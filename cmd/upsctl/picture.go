package main

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// picture is what one question found out: the form of `status --json`.
type picture struct {
	Masters  []masterPicture  `json:"masters"`
	Nodes    []nodePicture    `json:"nodes"`
	Problems []problemPicture `json:"problems"`
	// What is not broken, but was never proved or can't be otherwise: no reason to
	// look now, so it does not count for the exit status.
	Weaknesses []problemPicture `json:"weaknesses"`
	// Why nobody could be asked; only with --watch, which goes on.
	Error string `json:"error,omitempty"`
}

type masterPicture struct {
	Name      string       `json:"name"`
	Address   string       `json:"address"`
	Reachable bool         `json:"reachable"`
	Error     string       `json:"error,omitempty"`
	Version   string       `json:"version,omitempty"`
	UPS       []upsPicture `json:"ups"`
	Drill     *drillOn     `json:"drill,omitempty"` // absent: none is on
}

// drillOn is a drill that goes on. Nothing that it pretends is in the picture.
type drillOn struct {
	By    string   `json:"by"`
	Left  *float64 `json:"left_seconds"` // null: only its last hooks go on
	Count uint32   `json:"nodes"`
}

type upsPicture struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Age     float64  `json:"age_seconds"`
	Outage  string   `json:"outage"`
	OutAge  *float64 `json:"outage_age_seconds"`
	Debt    float64  `json:"debt_seconds"`
	Runtime *float64 `json:"runtime_seconds"`
	HasLow  bool     `json:"has_low"`
	Cable   string   `json:"cable"`
	Lines   []string `json:"lines"`
	Weak    bool     `json:"weak_battery"`
	Drill   bool     `json:"drill"`
	Sim     bool     `json:"sim"`
	// Margin is how long the battery is expected to last after the last machine is off,
	// if the power failed now; null: nobody can say.
	Margin *float64 `json:"margin_seconds"`
	Reason string   `json:"reason,omitempty"`
	// Absent: nobody can say, or it is a version that does not.
	Charge   *uint32          `json:"charge_percent,omitempty"`
	Battery  *batteryPicture  `json:"battery,omitempty"`
	Disabled *disabledPicture `json:"disabled,omitempty"`
}

type nodePicture struct {
	Name         string   `json:"name"`
	Role         string   `json:"role"`
	Phase        string   `json:"phase"`
	State        string   `json:"state"`
	Deadline     *float64 `json:"deadline_seconds"`
	Grace        float64  `json:"grace_seconds"`
	Link         string   `json:"link"`
	LastHeard    *float64 `json:"last_heard_seconds"`
	WaitingOn    []string `json:"waiting_on"`
	WaitingCount uint32   `json:"waiting_count"`
	HeldBy       string   `json:"held_by,omitempty"`
	Feeds        []string `json:"feeds"`
	StopTime     float64  `json:"stop_time_seconds"`
	MasterHost   bool     `json:"master_host"`
	Off          string   `json:"off,omitempty"` // probed, assumed or cut; empty: it is up, or nobody can say
	Guest        string   `json:"virtualization,omitempty"`
	// Comeback is how it stands with a machine that was put down; absent: it is up, or nobody
	// put it down.
	Comeback *comebackPicture `json:"comeback,omitempty"`
	// With --all: whether it answered for itself, and whether it announces itself on
	// the LAN; null: nobody looked.
	Answers   *bool `json:"answers"`
	Announced *bool `json:"announced"`
}

type comebackPicture struct {
	Outage string   `json:"outage"` // empty: somebody shut it down to see it come back
	Away   float64  `json:"away_seconds"`
	Tries  uint32   `json:"tries"`
	Next   *float64 `json:"next_seconds"` // until it is woken again; null: it waits, or nothing can wake it
	Waits  string   `json:"waits"`
	Ways   []string `json:"ways"`
	Text   string   `json:"text"`
}

type problemPicture struct {
	On   string   `json:"on"`
	Name string   `json:"name"`
	Text string   `json:"text"`
	Age  *float64 `json:"age_seconds"` // null: not said
}

// newPicture is one without anything, whose lists are lists.
func newPicture() picture {
	return picture{Masters: []masterPicture{}, Nodes: []nodePicture{}, Problems: []problemPicture{}, Weaknesses: []problemPicture{}}
}

// look asks for everything: the master, or through an agent all of its masters;
// of those that don't answer, what this node last heard. With all every node is
// asked as well, and who only announces himself is shown.
func look(ctx context.Context, conn *grpc.ClientConn, all bool) (picture, error) {
	p := newPicture()
	resp, err := upsv1.NewPowerServiceClient(conn).GetStatus(ctx, &upsv1.GetStatusRequest{All: all})
	if err != nil && status.Code(err) != codes.Unimplemented {
		return p, err
	}
	for _, m := range resp.GetMasters() {
		p.addMaster(m)
	}
	for _, u := range resp.GetUnreachable() {
		p.Masters = append(p.Masters, masterPicture{
			Name: u.GetName(), Address: u.GetAddress(), Error: u.GetError(), UPS: []upsPicture{},
		})
	}
	if err != nil || len(resp.GetUnreachable()) > 0 || len(resp.GetMasters()) == 0 {
		// Not everything came from a master: then this node can say the rest.
		self, err := upsv1.NewNodeServiceClient(conn).GetNodeStatus(ctx, &upsv1.GetNodeStatusRequest{})
		if err != nil {
			return p, err
		}
		p.addSelf(self)
	}
	if all {
		p.addAsked(resp.GetAsked())
		p.addSeen(resp.GetSeen())
	}
	return p, nil
}

// addAsked adds what nodes say of themselves. It is newer than what their master
// heard; the contact is as the master sees it, where one can say. Where nobody
// answers, nobody can be asked: they listen nowhere.
func (p *picture) addAsked(asked []*upsv1.NodeStatus) {
	if len(asked) == 0 {
		return
	}
	for i := range p.Nodes {
		p.Nodes[i].Answers = new(bool)
	}
	for _, n := range asked {
		own, yes := nodeRow(n), true
		i := p.node(n.GetName())
		if i < 0 {
			p.Nodes = append(p.Nodes, own)
			i = len(p.Nodes) - 1
		} else {
			was := p.Nodes[i]
			own.Link, own.LastHeard, own.MasterHost, own.Off, own.Guest = was.Link, was.LastHeard, was.MasterHost, was.Off, was.Guest
			own.Comeback = was.Comeback
			p.Nodes[i] = own
		}
		p.Nodes[i].Answers = &yes
		p.addProblems(n.GetReport().GetProblems())
	}
}

// addSeen adds who announces himself. Where nobody does, nobody was listened for.
func (p *picture) addSeen(seen []*upsv1.SeenNode) {
	if len(seen) == 0 {
		return
	}
	for i := range p.Nodes {
		p.Nodes[i].Announced = new(bool)
	}
	for _, s := range seen {
		i := p.node(s.GetName())
		if i < 0 {
			p.Nodes = append(p.Nodes, nodePicture{
				Name: s.GetName(), Phase: "UNKNOWN", State: "UNKNOWN", Link: linkSeen, WaitingOn: []string{}, Feeds: []string{},
			})
			i = len(p.Nodes) - 1
		}
		yes := true
		p.Nodes[i].Announced = &yes
	}
}

// node returns where the node of that name stands; -1: nowhere.
func (p *picture) node(name string) int {
	return slices.IndexFunc(p.Nodes, func(n nodePicture) bool { return n.Name == name })
}

func (p *picture) addMaster(m *upsv1.MasterStatus) {
	p.Masters = append(p.Masters, masterPicture{
		Name: m.GetName(), Address: m.GetAddress(), Reachable: true, Version: m.GetVersion(), UPS: upsPictures(m.GetUps()),
	})
	is := &p.Masters[len(p.Masters)-1]
	is.addPlans(m.GetPlans())
	if d := m.GetDrill(); d != nil {
		is.Drill = &drillOn{By: d.GetBy(), Left: seconds(d.GetLeft()), Count: d.GetCount()}
	}
	for _, n := range m.GetNodes() {
		p.addNode(n)
	}
	p.addProblems(m.GetProblems())
}

// addPlans adds what is foreseen of the UPSes.
func (m *masterPicture) addPlans(plans []*upsv1.UpsPlan) {
	for _, plan := range plans {
		for i := range m.UPS {
			if m.UPS[i].Name == plan.GetUps() {
				m.UPS[i].Margin = seconds(plan.GetMargin())
			}
		}
	}
}

// addSelf adds what a node knows: itself, and the UPSes of masters that can't be
// asked as it last heard them.
func (p *picture) addSelf(self *upsv1.GetNodeStatusResponse) {
	p.addNode(self.GetNode())
	p.addProblems(self.GetNode().GetReport().GetProblems())
	for _, m := range self.GetMasters() {
		i := slices.IndexFunc(p.Masters, func(have masterPicture) bool {
			return have.Name != "" && have.Name == m.GetName() || have.Name == "" && have.Address == m.GetAddress()
		})
		if i < 0 {
			p.Masters = append(p.Masters, masterPicture{Name: m.GetName(), Address: m.GetAddress(), Error: cmp.Or(m.GetError(), "not asked")})
			i = len(p.Masters) - 1
		}
		if !p.Masters[i].Reachable {
			p.Masters[i].UPS = upsPictures(m.GetUps())
		}
	}
}

func (p *picture) addNode(n *upsv1.NodeStatus) {
	if n == nil || p.node(n.GetName()) >= 0 {
		return // it lives on two masters
	}
	p.Nodes = append(p.Nodes, nodeRow(n))
}

func nodeRow(n *upsv1.NodeStatus) nodePicture {
	r := n.GetReport()
	return nodePicture{
		Name: n.GetName(), Role: n.GetRole(),
		Phase: api.ToPhase(r.GetPhase()).String(), State: api.ToStatus(r.GetStatus()).String(),
		Deadline: seconds(r.GetDeadline()), Grace: r.GetGrace().AsDuration().Seconds(),
		Link: linkName(n.GetLink()), LastHeard: seconds(n.GetLastHeard()),
		WaitingOn: notNil(r.GetWaitingOn()), WaitingCount: r.GetWaitingCount(), HeldBy: r.GetHeldBy(),
		Feeds: notNil(r.GetFeeds()), StopTime: r.GetStopTime().AsDuration().Seconds(), MasterHost: n.GetIsMasterHost(),
		Off: api.ToOff(n.GetOff()).How(), Guest: n.GetVirtualization(), Comeback: newComeback(n.GetComeback()),
	}
}

// newComeback returns how it stands with a machine that was put down; nil: it was not.
func newComeback(c *upsv1.Comeback) *comebackPicture {
	if c == nil {
		return nil
	}
	return &comebackPicture{
		Outage: c.GetOutage(), Away: c.GetAway().AsDuration().Seconds(), Tries: c.GetTries(), Next: seconds(c.GetNext()),
		Waits: c.GetWaits(), Ways: notNil(c.GetWays()), Text: c.GetText(),
	}
}

// addProblems adds what is wrong, each thing once: with all asked, a node says itself
// what its master says of it.
func (p *picture) addProblems(ps []*upsv1.Problem) {
	for _, one := range ps {
		list := &p.Problems
		if one.GetWeakness() {
			list = &p.Weaknesses
		}
		same := func(have problemPicture) bool { return have.On == one.GetOn() && have.Name == one.GetName() }
		if !slices.ContainsFunc(*list, same) {
			*list = append(*list, problemPicture{On: one.GetOn(), Name: one.GetName(), Text: one.GetText(), Age: seconds(one.GetAge())})
		}
	}
}

func upsPictures(states []*upsv1.UpsState) []upsPicture {
	out := []upsPicture{}
	for _, u := range states {
		out = append(out, upsPicture{
			Name: u.GetName(), State: api.ToStatus(u.GetStatus()).String(), Age: u.GetAge().AsDuration().Seconds(),
			Outage: u.GetOutage(), OutAge: seconds(u.GetOutageAge()), Debt: u.GetDebt().AsDuration().Seconds(),
			Runtime: seconds(u.GetRuntime()), HasLow: u.GetHasLow(), Cable: u.GetCable(), Lines: notNil(u.GetLines()),
			Weak: u.GetWeakBattery(), Drill: u.GetDrill(), Sim: u.GetSim(), Reason: u.GetReason(),
			Charge: u.Charge, Battery: batteryOf(u.GetBattery()), Disabled: disabledOf(u.GetDisabled()),
		})
	}
	return out
}

// attention reports whether somebody should look.
func (p picture) attention() bool {
	if len(p.Problems) > 0 || len(p.Masters) == 0 {
		return true
	}
	for _, m := range p.Masters {
		if !m.Reachable || slices.ContainsFunc(m.UPS, func(u upsPicture) bool { return u.State != "OK" }) {
			return true
		}
	}
	return slices.ContainsFunc(p.Nodes, nodePicture.attention)
}

// attention reports whether somebody should look at this node. A stranger is
// nobody's worry.
func (n nodePicture) attention() bool {
	return n.Link == "lost" || n.Phase != "IDLE" && n.Link != linkSeen
}

// linkSeen is the contact of a node that announces itself and is on no roster asked.
const linkSeen = "seen"

// linkName returns a contact as the contract names it. A node on the roster that
// was never heard is as lost as one that fell silent.
func linkName(l upsv1.Link) string {
	switch l {
	case upsv1.Link_LINK_UP:
		return "up"
	case upsv1.Link_LINK_OFF:
		return "off"
	default:
		return "lost"
	}
}

// seconds returns d as a number, nil if it was not said.
func seconds(d *durationpb.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.AsDuration().Seconds()
	return &s
}

// notNil makes an empty list [] and not null for programs.
func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
