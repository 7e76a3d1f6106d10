package master

import (
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Scrapes are bounded, as everything at that door.
const (
	maxScrapes  = 2 // at a time; one more is refused
	scrapeLimit = 5 * time.Second
)

// scrapes answers with the figures.
func (m *Master) scrapes() http.Handler {
	return promhttp.HandlerFor(m.metricsRegistry(), promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(m.log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, Timeout: scrapeLimit,
	})
}

// metricsRegistry returns what a scrape gathers: this process, Go's runtime and what
// the master knows at that moment.
func (m *Master) metricsRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
		newCollector(m.measured),
	)
	return reg
}

// measured is everything that the figures are made of.
type measured struct {
	status  *upsv1.MasterStatus
	ready   bool
	changes map[string]uint64 // of each UPS's state, by "ups/NAME"
	losses  map[string]uint64 // of each node's link, by "node/NAME"
	cables  map[string]cableCounts
}

// cableCounts is what the behaviour of a UPS's lines has shown.
type cableCounts struct{ pulls, flaps, pulses uint32 }

// measured looks at everything once.
func (m *Master) measured() measured {
	all := measured{status: m.status(), cables: m.hub.cableCounts()}
	all.ready = len(m.unreadyIn(all.status)) == 0
	all.changes, all.losses = m.events.tally.read()
	return all
}

// cableCounts returns the counts of each UPS's lines.
func (h *hub) cableCounts() map[string]cableCounts {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]cableCounts{}
	for _, u := range h.ups {
		all[u.name] = cableCounts{pulls: u.snapshot.Pulls, flaps: u.snapshot.Flaps, pulses: u.snapshot.Pulses}
	}
	return all
}

// tally counts events that a scrape in between would miss. Its zero value is ready.
type tally struct {
	mu      sync.Mutex
	changes map[string]uint64
	losses  map[string]uint64
}

// note counts e. It never blocks.
func (t *tally) note(e history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes == nil {
		t.changes, t.losses = map[string]uint64{}, map[string]uint64{}
	}
	switch {
	case e.Kind == history.KindState:
		t.changes[e.On]++
	case e.Kind == history.KindLink && e.Link == history.LinkLost:
		t.losses[e.On]++
	}
}

// read returns the counts, by what they are on.
func (t *tally) read() (changes, losses map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.changes), maps.Clone(t.losses)
}

// collector turns what is known at the moment of a scrape into figures. It keeps
// nothing between two.
type collector struct {
	look  func() measured
	all   map[string]described
	kinds map[string]health.Kind
}

// described is a figure as client_golang wants it.
type described struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newCollector(look func() measured) collector {
	c := collector{look: look, all: map[string]described{}, kinds: map[string]health.Kind{}}
	for _, k := range health.Kinds() {
		c.kinds[k.Name] = k
	}
	for _, f := range figures() {
		c.all[f.name] = described{prometheus.NewDesc(figurePrefix+f.name, f.help, f.labels, nil), f.kind}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.all {
		out <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	all := c.look()
	e := emitter{out, c.all}
	e.put("build_info", 1, all.status.GetVersion(), runtime.Version())
	e.put("master_info", 1, all.status.GetName())
	e.put("ready", one(all.ready))
	e.put("drill_running", one(all.status.GetDrill() != nil))
	e.problems(all.status.GetProblems(), c.kinds)
	proofs := map[string]*upsv1.UpsProof{}
	for _, p := range all.status.GetProofs() {
		proofs[p.GetUps()] = p
	}
	plans := map[string]*upsv1.UpsPlan{}
	for _, p := range all.status.GetPlans() {
		plans[p.GetUps()] = p
	}
	for _, u := range all.status.GetUps() {
		e.ups(u, proofs[u.GetName()])
		name := u.GetName()
		e.seconds("ups_plan_margin_seconds", plans[u.GetName()].GetMargin(), u.GetName())
		e.put("ups_state_changes_total", float64(all.changes["ups/"+name]), name)
		e.put("ups_line_flaps_total", float64(all.cables[name].flaps), name)
		e.put("ups_line_pulses_total", float64(all.cables[name].pulses), name)
		e.put("ups_cable_pulls_total", float64(all.cables[name].pulls), name)
	}
	for _, n := range all.status.GetNodes() {
		e.node(n)
		e.put("node_link_losses_total", float64(all.losses["node/"+n.GetName()]), n.GetName())
	}
}

// emitter hands figures out.
type emitter struct {
	out chan<- prometheus.Metric
	all map[string]described
}

// put hands one out. A label that is no UTF-8 would spoil the whole scrape.
func (e emitter) put(name string, v float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "?")
	}
	d := e.all[name]
	e.out <- prometheus.MustNewConstMetric(d.desc, d.kind, v, labels...)
}

// seconds hands out a duration, if it is known.
func (e emitter) seconds(name string, d *durationpb.Duration, label string) {
	if d != nil {
		e.put(name, d.AsDuration().Seconds(), label)
	}
}

// states hands out one series for each value that a state can have.
func (e emitter) states(name, label, is string, values ...string) {
	for _, v := range values {
		e.put(name, one(v == is), label, v)
	}
}

// problems hands out what is wrong. A name from outside the closed set, as a node of
// a newer version may send it, is "other": names from the wire never make series.
func (e emitter) problems(all []*upsv1.Problem, kinds map[string]health.Kind) {
	type key struct{ on, name string }
	seen := map[key]float64{}
	for _, p := range all {
		k := key{p.GetOn(), p.GetName()}
		if _, known := kinds[k.name]; !known {
			k.name = "other"
		}
		seen[k] = max(seen[k], p.GetAge().AsDuration().Seconds()) // two texts are one problem
	}
	weaknesses := 0
	for k, age := range seen {
		if kinds[k.name].Weakness {
			weaknesses++
			e.put("weakness", 1, k.on, k.name)
			continue
		}
		e.put("problem", 1, k.on, k.name)
		e.put("problem_age_seconds", age, k.on, k.name)
	}
	e.put("problems", float64(len(seen)-weaknesses))
	e.put("weaknesses", float64(weaknesses))
}

// ups hands out what is known of a UPS; proof is nil where nothing was proved.
func (e emitter) ups(u *upsv1.UpsState, proof *upsv1.UpsProof) {
	name := u.GetName()
	e.put("ups_info", 1, name, u.GetCable())
	e.states("ups_state", name, api.ToStatus(u.GetStatus()).String(),
		power.OK.String(), power.Fail.String(), power.BatLow.String(), power.Unknown.String())
	e.seconds("ups_state_age_seconds", u.GetAge(), name)
	e.put("ups_blind", one(u.GetStatus() == upsv1.Status_STATUS_UNSPECIFIED), name)
	e.put("ups_on_battery", one(u.GetOutage() != ""), name)
	e.put("ups_outage_age_seconds", u.GetOutageAge().AsDuration().Seconds(), name)
	e.put("ups_battery_debt_seconds", u.GetDebt().AsDuration().Seconds(), name)
	if u.GetRuntime().AsDuration() > 0 {
		e.seconds("ups_battery_runtime_seconds", u.GetRuntime(), name)
	}
	e.battery(name, u)
	e.put("ups_battery_weak", one(u.GetWeakBattery()), name)
	e.put("ups_can_report_low", one(u.GetHasLow()), name)
	e.put("ups_simulated", one(u.GetSim()), name)
	e.put("ups_disabled", one(u.GetDisabled() != nil), name)
	e.put("ups_outages_total", float64(proof.GetOutages()), name)
	e.put("ups_low_proved", one(proof.GetLowWall() != ""), name)
	e.put("ups_kill_proved", one(proof.GetKillWall() != ""), name)
}

// battery hands out what is known of a battery.
func (e emitter) battery(name string, u *upsv1.UpsState) {
	if u.Charge != nil {
		e.put("ups_battery_charge_ratio", float64(u.GetCharge())/100, name)
	}
	if b := u.GetBattery(); b != nil {
		e.seconds("ups_battery_declared_runtime_seconds", b.GetDeclared(), name)
		e.seconds("ups_battery_reserve_seconds", b.GetReserve(), name)
		e.put("ups_battery_learned_lows", float64(b.GetLows()), name)
	}
}

// node hands out what is known of a node.
func (e emitter) node(n *upsv1.NodeStatus) {
	name, r := n.GetName(), n.GetReport()
	e.states("node_phase", name, api.ToPhase(r.GetPhase()).String(), policy.Idle.String(), policy.Held.String(), policy.Grace.String(),
		policy.Waiting.String(), policy.Committed.String(), policy.Done.String(), policy.PhaseUnknown.String())
	link := history.LinkLost // or never had, as upsctl says it
	switch n.GetLink() {
	case upsv1.Link_LINK_UP:
		link = history.LinkUp
	case upsv1.Link_LINK_OFF:
		link = history.LinkOff
	default:
	}
	e.states("node_link", name, link, history.LinkUp, history.LinkLost, history.LinkOff)
	e.seconds("node_last_heard_age_seconds", n.GetLastHeard(), name)
	e.seconds("node_deadline_seconds", r.GetDeadline(), name)
	e.seconds("node_grace_seconds", r.GetGrace(), name)
	e.seconds("node_stop_time_seconds", r.GetStopTime(), name)
	e.put("node_waiting_on", float64(r.GetWaitingCount()), name)
	e.states("node_off", name, api.ToOff(n.GetOff()).How(), policy.OffProbed.How(), policy.OffAssumed.How(), policy.OffCut.How())
	if back := n.GetComeback(); back != nil {
		e.seconds("node_comeback_age_seconds", back.GetAway(), name)
		e.put("node_wakes", float64(back.GetTries()), name)
	}
	e.put("node_outages_total", float64(n.GetProof().GetOutages()), name)
	e.put("node_way_back_proved", one(n.GetProof().GetBackWall() != ""), name)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
