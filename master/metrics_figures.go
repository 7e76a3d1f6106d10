package master

import "github.com/prometheus/client_golang/prometheus"

// figure is one metric that the master exports. Its help is docs/metrics.md's text.
type figure struct {
	name   string // without the prefix
	help   string
	labels []string
	kind   prometheus.ValueType
}

// figurePrefix begins every name; the process's and Go's own figures have theirs.
const figurePrefix = "lastwatt_"

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// figures returns the closed set. A time is a duration and never a moment: no wall
// clock takes part (law 1). A state is one series for each value that it can have,
// 1 for the present one, so that each can be asked for by name.
func figures() []figure {
	ups, node := []string{"ups"}, []string{"node"}
	return []figure{
		{"build_info", "Always 1: the versions of the software.", []string{"version", "goversion"}, gauge},
		{"master_info", "Always 1: the name of this master and its rack.", []string{"master"}, gauge},
		{"ready", "1 if every UPS is being read and the network is listened on, as /readyz says.", nil, gauge},
		{"drill_running", "1 while a drill runs: some pretend that the power has failed, and nobody goes down.", nil, gauge},
		{"problems", "How many things weaken the protection now.", nil, gauge},
		{"weaknesses", "How many things were never proved, or are a known limit.", nil, gauge},
		{"problem", "Always 1: there is this problem; docs/problems.md has the names.", []string{"on", "name"}, gauge},
		{"problem_age_seconds", "For how long there has been this problem.", []string{"on", "name"}, gauge},
		{"weakness", "Always 1: this was never proved, or is a known limit; docs/problems.md has the names.", []string{"on", "name"}, gauge},

		{"ups_info", "Always 1: the cable by which the UPS is read.", []string{"ups", "cable"}, gauge},
		{"ups_state", "1 for what is believed of the UPS: OK (on mains), FAIL (on battery), BATLOW (on battery, nearly empty), UNKNOWN (blind).", []string{"ups", "state"}, gauge},
		{"ups_state_age_seconds", "For how long the UPS has been in this state.", ups, gauge},
		{"ups_blind", "1 if nobody can say what the UPS does: a power failure would go unnoticed.", ups, gauge},
		{"ups_on_battery", "1 during an outage, also while the UPS is blind in it.", ups, gauge},
		{"ups_outage_age_seconds", "Time since the outage's first FAIL; 0 without an outage.", ups, gauge},
		{"ups_battery_debt_seconds", "Battery seconds spent and not yet recharged; during an outage, as they were at its start.", ups, gauge},
		{"ups_battery_runtime_seconds", "How long a full battery is expected to last; absent if unknown.", ups, gauge},
		{"ups_plan_margin_seconds", "Time from the last machine's being off to the battery's expected end, if the power failed now; absent if nobody can say how long the battery lasts.", ups, gauge},
		{"ups_battery_declared_runtime_seconds", "How long its owner says that a full battery lasts; absent if nothing is said.", ups, gauge},
		{"ups_battery_learned_lows", "How many of the last five outages have shown how long the battery lasts until low; 0: none has.", ups, gauge},
		{"ups_battery_reserve_seconds", "How long the battery lasts once the UPS has said low.", ups, gauge},
		{"ups_battery_charge_ratio", "How full the battery is, from 0 to 1; absent if nobody can say.", ups, gauge},
		{"ups_battery_weak", "1 if the UPS reports a low or worn battery while on mains.", ups, gauge},
		{"ups_can_report_low", "1 if this cable can say that the battery is low.", ups, gauge},
		{"ups_simulated", "1 if an operator makes the state on a sim port: it watches nothing.", ups, gauge},
		{"ups_disabled", "1 while somebody said not to look at the UPS.", ups, gauge},
		{"ups_outages_total", "Outages of which the UPS has told, over restarts.", ups, counter},
		{"ups_low_proved", "1 if the UPS has been seen to say that its battery is low.", ups, gauge},
		{"ups_kill_proved", "1 if cutting the load has been seen to work.", ups, gauge},
		{"ups_state_changes_total", "Changes of the UPS's state since the master began.", ups, counter},
		{"ups_line_flaps_total", "Changes of the lines that were taken back before they were believed, since boot.", ups, counter},
		{"ups_line_pulses_total", "Changes of the lines that were over before they could be read, since boot.", ups, counter},
		{"ups_cable_pulls_total", "How often on battery and low came and went together, as when the plug is pulled, since boot.", ups, counter},

		{"node_phase", "1 for where the node stands: IDLE, HELD, GRACE, WAITING, COMMITTED, DONE, or UNKNOWN before its first word.", []string{"node", "phase"}, gauge},
		{"node_link", "1 for the master's contact with the node: up, lost (or never had), off (it said that it goes).", []string{"node", "link"}, gauge},
		{"node_off", "1 for how the node is known to be off: probed (it fell silent), assumed (it has had its time), cut (with its power); all 0: it is up, or nobody can say.", []string{"node", "how"}, gauge},
		{"node_comeback_age_seconds", "For how long a node is away that the master brings back; absent for all others.", node, gauge},
		{"node_wakes", "How often such a node was woken since its power is back.", node, gauge},
		{"node_link_losses_total", "How often the contact with the node was lost since the master began.", node, counter},
		{"node_last_heard_age_seconds", "Time since the node was last heard; absent if never, and for the master's own host.", node, gauge},
		{"node_deadline_seconds", "Time until the node acts by itself; absent while nothing is timed.", node, gauge},
		{"node_grace_seconds", "The node's allowance for an outage.", node, gauge},
		{"node_stop_time_seconds", "How long the node takes to be off once asked.", node, gauge},
		{"node_waiting_on", "How many others the node waits for before it goes.", node, gauge},
		{"node_outages_total", "Outages through which the node was seen, over restarts.", node, counter},
		{"node_way_back_proved", "1 if the node has been seen to come back after an outage that put it down.", node, gauge},
	}
}
