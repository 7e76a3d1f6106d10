package master

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// planMaster is a master that does not run, with web1 attached to it, whose battery
// lasts for that long.
func planMaster(t *testing.T, now *power.Uptime, runtime time.Duration) (m *Master, web1 *session) {
	t.Helper()
	cfg, err := ParseConfig("master.toml", []byte(`name = "rack1"
data = "`+t.TempDir()+`"
run = "`+t.TempDir()+`"
[discovery]
mdns = false
[[ups]]
name = "main"
port = "/dev/null"
cable = "liebert-powersure"
[ups.battery]
low_reserve = "90s"
`))
	if err != nil {
		t.Fatal(err)
	}
	m, err = New(Options{Config: cfg, Boot: "m", Now: func() power.Uptime { return *now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	m.hub.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK, HasLow: true, Runtime: runtime}})
	c := policy.Config{Grace: 5 * time.Minute, GraceMin: 30 * time.Second, WaitLimitBatLow: 20 * time.Second, LostLimit: 2 * time.Minute}
	web1 = m.hub.attach("web1", "", &upsv1.Hello{BootId: "b", WaitLimit: durationpb.New(2 * time.Minute), Policy: api.FromPolicy(c, 1)}, planReport(upsv1.Phase_PHASE_IDLE))
	return m, web1
}

func planReport(p upsv1.Phase) *upsv1.NodeReport {
	return &upsv1.NodeReport{
		Phase: p, Status: upsv1.Status_STATUS_OK, StopTime: durationpb.New(time.Minute), Feeds: []string{"rack1/main"},
		Methods: []string{"logind"}, PhaseAge: durationpb.New(0),
	}
}

func TestPlanIsMadeOfTheRack(t *testing.T) {
	now := power.Uptime(time.Hour)
	m, _ := planMaster(t, &now, 20*time.Minute)
	resp, err := controlService{m: m}.Plan(t.Context(), &upsv1.PlanRequest{Ups: []string{"main"}})
	if err != nil {
		t.Fatal(err)
	}
	u := resp.GetUps()[0]
	if u.GetUps() != "main" || u.GetLast() != "web1" || u.GetLastOff().AsDuration() != 6*time.Minute || u.GetMargin().AsDuration() != 14*time.Minute ||
		u.GetEnd().AsDuration() != 20*time.Minute || u.GetLowMargin().AsDuration() != 30*time.Second {
		t.Errorf("foreseen is %v", u)
	}
	if e := resp.GetEvents()[0]; e.GetOn() != "ups/main" || e.GetKind() != "fail" || e.GetAt().AsDuration() != 0 {
		t.Errorf("it begins with %v", e)
	}
	m.hub.setUPS(upsRecord{name: "main", state: m.hub.states()[0].State, battery: power.Battery{Reserve: 3 * time.Minute, ReserveLearned: true}})
	if resp, err = (controlService{m: m}).Plan(t.Context(), &upsv1.PlanRequest{}); err != nil || resp.GetUps()[0].GetLowMargin().AsDuration() != 2*time.Minute {
		t.Errorf("with a reserve that was learned is foreseen %v, %v", resp.GetUps(), err)
	}
	if _, err := (controlService{m: m}).Plan(t.Context(), &upsv1.PlanRequest{Ups: []string{"attic"}}); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), `there is no UPS "attic"; this master's are ["main"]`) {
		t.Errorf("of a UPS that is not there is told %v", err)
	}
}

// What is foreseen is made anew when it would be another, and not at every beat.
func TestPlanIsKeptWhileNothingChanges(t *testing.T) {
	now := power.Uptime(time.Hour)
	m, web1 := planMaster(t, &now, 20*time.Minute)
	was := coarse(m.planning.rack())
	for _, tt := range []struct {
		name   string
		change func()
		anew   bool
	}{
		{"time", func() { now = now.Add(time.Hour) }, false},
		{"a beat", func() { m.hub.report(web1, planReport(upsv1.Phase_PHASE_IDLE)) }, false},
		{"a little debt", func() { m.planUPS(func(s *power.State) { s.Debt = time.Second }) }, false},
		{"much debt", func() { m.planUPS(func(s *power.State) { s.Debt = time.Minute }) }, true},
		{"a stop time", func() {
			r := planReport(upsv1.Phase_PHASE_IDLE)
			r.StopTime = durationpb.New(3 * time.Minute)
			m.hub.report(web1, r)
		}, true},
		{"a failure", func() {
			m.planUPS(func(s *power.State) {
				s.Status, s.Last, s.Outage, s.OutageSince = power.Fail, power.Fail, "b-1", now
			})
		}, true},
		{"a lost link", func() { m.hub.detach(web1, "it broke") }, true},
	} {
		tt.change()
		is := coarse(m.planning.rack())
		if anew := !reflect.DeepEqual(is, was); anew != tt.anew {
			t.Errorf("%s: made anew is %v, want %v", tt.name, anew, tt.anew)
		}
		was = is
	}
}

// planUPS changes what the only UPS says.
func (m *Master) planUPS(change func(*power.State)) {
	s := m.hub.states()[0].State
	change(&s)
	m.hub.setUPS(upsRecord{name: "main", state: s})
}

// A battery that is too short is told in peace, and neither told nor taken back in an
// outage; times in the status count from then on.
func TestPlanTellsOfAShortBattery(t *testing.T) {
	now := power.Uptime(time.Hour)
	m, _ := planMaster(t, &now, 80*time.Second)
	m.planUPS(func(s *power.State) { s.HasLow = false })
	look := func() {
		r := m.planning.rack()
		m.planning.keep(r.Now, policy.NewPlan(r))
	}
	look()
	if all := m.planning.found(); len(all) != 1 || all[0].On != "ups/main" || all[0].Name != health.PlanNegative || !strings.Contains(all[0].Text, "web1 would be off only 10s after") {
		t.Errorf("told is %+v", all)
	}
	m.planUPS(func(s *power.State) {
		s.Status, s.Last, s.Outage, s.OutageSince, s.Runtime = power.Fail, power.Fail, "b-1", now, time.Hour
	})
	look()
	if len(m.planning.found()) != 1 {
		t.Error("an outage took it back")
	}
	now = now.Add(10 * time.Second)
	st := &upsv1.MasterStatus{}
	m.planning.fill(st)
	if u := st.GetPlans()[0]; u.GetEnd().AsDuration() != time.Hour-10*time.Second {
		t.Errorf("10 s later the battery's end is told as %s", u.GetEnd().AsDuration())
	}
	m.planUPS(func(s *power.State) { s.Status, s.Last, s.Outage, s.Runtime = power.OK, power.OK, "", time.Hour })
	look()
	if all := m.planning.found(); len(all) > 0 {
		t.Errorf("with a longer battery is told %+v", all)
	}
}
