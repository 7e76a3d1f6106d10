package health

import (
	"slices"
	"strings"
	"time"
)

// The names of everything that can be wrong. They are in the status, in alarms, in
// metrics and in scripts: a name never changes its meaning.
const (
	AlarmUnsent      = "alarm-unsent"
	Blind            = "blind"
	Cable            = "cable"
	CableMute        = "cable-mute"
	CannotPowerOff   = "cannot-power-off"
	ConfigNotAdopted = "config-not-adopted"
	Disk             = "disk"
	Feeds            = "feeds"
	Flapping         = "flapping"
	GraceOutlivesBat = "grace-outlives-battery"
	Hook             = "hook"
	Identity         = "identity"
	InhibitorLimit   = "inhibitor-limit"
	Internal         = "internal"
	KillUnproved     = "kill-unproved"
	LateUnit         = "late-unit"
	LinkLost         = "link-lost"
	MDNS             = "mdns"
	Metrics          = "metrics"
	Network          = "network"
	NetworkNotOnUPS  = "network-not-on-ups"
	NeverLow         = "never-low"
	NoLowLine        = "no-low-line"
	NoNode           = "no-node"
	NoPort           = "no-port"
	NoWayBack        = "no-way-back"
	NodeLost         = "node-lost"
	NotJoined        = "not-joined"
	PlanNegative     = "plan-negative"
	PowerOffRefused  = "poweroff-refused"
	Seal             = "seal"
	SecondClaimant   = "second-claimant"
	SimIgnored       = "sim-ignored"
	Socket           = "socket"
	StaysDown        = "stays-down"
	UPSDisabled      = "ups-disabled"
	Unproved         = "unproved"
	WaitCycle        = "wait-cycle"
	WaitNobody       = "wait-nobody"
	WakeUnarmed      = "wake-unarmed"
	WayBackUnproved  = "way-back-unproved"
	WeakBattery      = "weak-battery"
)

// Kind is one thing that can be wrong.
type Kind struct {
	Name string
	// What is wrong, and what to Do, for people. What is found says more.
	What, Do string
	// Weakness: nothing is broken, but it was never proved or is a known limit. It
	// is shown to whoever looks and alarms nobody.
	Weakness bool
	// After is how long it must stay before anybody is alarmed. A start, a restart
	// and a switch that reboots last about that long.
	After time.Duration
}

// kinds is the closed set, sorted by name.
var kinds = []Kind{
	{AlarmUnsent, "An alarm could not be sent for a while.", "Look at its address and the network; upsctl alarm test.", false, start},
	{Blind, "Nobody can see what the UPS does: a power failure would go unnoticed.", "Look at the cable at both ends, at the port, and at the reason given.", false, start},
	{Cable, "On battery and low battery came or went together, as when the plug is pulled.", "Push the plug in and fasten its screws; look at both ends.", false, atOnce},
	{CableMute, "A plug that is pulled out reads as a healthy UPS on mains, so nobody would notice.", "Fasten the plug; a cable that holds a line high on mains (upsctl cables) would tell.", true, atOnce},
	{CannotPowerOff, "The system would refuse to power off.", "See the reason given: rights, polkit, another method.", false, start},
	{ConfigNotAdopted, "The configuration file is not what the daemon runs by.", "Mend what upsctl check says of it and reload; or wait until the power is back.", false, atOnce},
	{Disk, "The disk takes nothing: what happens is not recorded.", "Make room, or mend the disk; protection goes on.", false, start},
	{Feeds, "Several UPSes are in sight and none is named: the first that fails counts.", "Name this machine's in [power] feeds.", false, start},
	{Flapping, "The mains come and go again and again.", "Look at the plug, the socket and the UPS's sensitivity setting; each time costs battery.", false, atOnce},
	{GraceOutlivesBat, "A node's grace and stop time are longer than the battery lasts; it goes sooner than its grace says.", "Shorten grace, correct [ups.battery] runtime, or buy a larger battery.", false, start},
	{Hook, "A hook can't be run or has failed.", "Mend the program that is named.", false, atOnce},
	{Identity, "A rack that this node joined can't be used: its key or certificate is damaged.", "Mend the file that is named, or join again with a token made with --replace.", false, atOnce},
	{InhibitorLimit, "Programs that asked logind for time at a shutdown get too little, or more than stop_time.", "Set InhibitDelayMaxSec in a drop-in of logind.conf, or stop_time.", false, start},
	{Internal, "A fault in Lastwatt.", "Please report it with the log.", false, atOnce},
	{KillUnproved, "Cutting the load by this cable has never been seen to work.", "Let one outage go to its end and give the mains back soon after the cut: a machine that then starts by itself proves it (docs/cut.md). Until then know where the button is.", true, atOnce},
	{LateUnit, "Nothing would cut the load after a power-off: after a short outage machines stay halted.", "Enable lastwatt-cut.service, or what is said; docs/cut.md.", false, start},
	{LinkLost, "This node has no contact with its master.", "Look at the network and at the master's host.", false, start},
	{MDNS, "The daemon can't announce itself, or be found.", "Name addresses instead of finding them, or mend what is said.", false, start},
	{Metrics, "The figures can't be asked for.", "See the reason given: free the address or change [metrics] listen.", false, start},
	{Network, "The daemon can't listen on its address.", "See the reason given: free the address or change listen.", false, start},
	{NetworkNotOnUPS, "The links of all nodes broke within seconds of a power failure: the switch is not on the UPS.", "Put the switch, and whatever else lies between, on the UPS.", false, atOnce},
	{NeverLow, "The UPS has never been seen to say that its battery is low.", "Let it run on battery once with little load until it says so, with the machines in a dry run.", true, atOnce},
	{NoLowLine, `A node has grace = "batlow", and its UPS's cable can't say that the battery is low.`, `Set a time as grace, or use a cable with a low-battery line.`, false, start},
	{NoNode, "Nobody shuts the master's own host down.", "Add [node] to master.toml.", false, atOnce},
	{NoPort, "No port is configured for a UPS.", "Set port in [[ups]] of master.toml, or run upsmaster setup.", false, start},
	{NoWayBack, "Nothing would start this machine again after an outage.", "Use a cable that can cut the load, or allow wol, rtc or hook in [wake] method.", false, atOnce},
	{NodeLost, "A node of the roster has no contact with the master: it hears of no power failure.", "Start upsagent there and look at its network; if it is gone for good: upsctl node remove NAME.", false, reboot},
	{NotJoined, "This agent has joined no rack: nobody tells it of a power failure.", "upsctl token create on the master, then upsagent join TOKEN here.", false, start},
	{PlanNegative, "If the power failed now, a machine would not be off before the battery's expected end.", "See upsctl plan: shorten grace, stop_time or the waits of the machine that is named, correct [ups.battery] runtime, or buy a larger battery.", false, start},
	{PowerOffRefused, "A power-off that was asked for was refused, or not answered.", "See the reason given; the next method is tried, for ever.", false, atOnce},
	{Seal, "The decision by which the load may be cut was no good, so nothing was cut; or one was left over from another boot.", "See the reason given and docs/cut.md; look whether everybody is back.", false, atOnce},
	{SecondClaimant, "Somebody else asked to join under the name of a node.", "If it is that machine set up anew: upsctl token create --replace NAME. If not, find out who.", false, atOnce},
	{SimIgnored, "This node's UPS is a pretended one, which it does not obey.", "Connect a UPS, or set obey_sim.", false, start},
	{Socket, "The daemon can't offer its local socket.", "See the reason given: the folder, its rights, another instance.", false, start},
	{StaysDown, "A machine that an outage put down has not come back, although the power is back.", "Switch it on and find out why it was not woken; upsctl release NODE ends the tries.", false, atOnce},
	{Unproved, "The node has never been seen through an outage.", "Pull the UPS's mains plug once for a few seconds, best with a node in a dry run first.", true, atOnce},
	{UPSDisabled, "Somebody said not to look at a UPS: a power failure would go unnoticed.", "It ends by itself; upsctl ups enable NAME ends it now.", false, atOnce},
	{WaitCycle, "Nodes wait for each other in a circle; one of the waits is ignored.", "Take the name that is said out of one wait_for.", false, start},
	{WaitNobody, "A node waits for a name or a role that nobody in the rack has.", "Correct wait_for, or let that machine join.", false, start},
	{WakeUnarmed, "A way back that [wake] method names can't be armed on this machine.", "See the reason given: the firmware's setup, the network card, or take it out of [wake] method.", false, start},
	{WayBackUnproved, "The node has never been seen to come back after an outage.", "It is proved by the first outage that puts it down.", true, atOnce},
	{WeakBattery, "The UPS says on mains that its battery is low or worn.", "Replace the battery.", false, atOnce},
}

// Kinds returns the closed set, sorted by name.
func Kinds() []Kind { return slices.Clone(kinds) }

// Lookup returns the kind of that name.
func Lookup(name string) (Kind, bool) {
	i, ok := slices.BinarySearchFunc(kinds, name, func(k Kind, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		return Kind{Name: name}, false
	}
	return kinds[i], true
}

// Weakness reports whether what bears this name is one.
func Weakness(name string) bool {
	k, _ := Lookup(name)
	return k.Weakness
}
