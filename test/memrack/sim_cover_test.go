package memrack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/health"
)

// coverSeeds is how many seeds visit everything that can be visited.
const coverSeeds = 5000

// unvisited are the visits that can't be, and why. An event is given alone where none
// of its can.
func unvisited() map[visit]string {
	return map[visit]string{}
}

// check fails where something was not visited that can be, or was that can't.
func (v visits) check(t *testing.T) {
	not := unvisited()
	for event := range simEvents() {
		for _, phase := range simPhases() {
			why, listed := not[visit{phase, event}]
			if !listed {
				why, listed = not[visit{"", event}]
			}
			switch n := v[visit{phase, event}]; {
			case n == 0 && !listed:
				t.Errorf("%q never found a node in %s", event, phase)
			case n > 0 && listed:
				t.Errorf("%q found a node in %s %d times, and unvisited says that it can't: %s", event, phase, n, why)
			}
		}
	}
}

// String is a table.
func (v visits) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%16s", "")
	for _, p := range simPhases() {
		fmt.Fprintf(&b, "%11s", p)
	}
	for _, e := range slices.Sorted(maps.Keys(simEvents())) {
		fmt.Fprintf(&b, "\n%16s", e)
		for _, p := range simPhases() {
			fmt.Fprintf(&b, "%11d", v[visit{p, e}])
		}
	}
	return b.String()
}

func simPhases() []string { return []string{"IDLE", "HELD", "GRACE", "WAITING", "COMMITTED", "DONE"} }

// unfound are the problems that no random rack has, and why.
func unfound() map[string]string {
	const elsewhere = "a rack that does not change has it or not; test/memrack, master and agent have tests of it"
	return map[string]string{
		health.Internal: "it would be a fault", health.NoPort: "without a port there is no outage",
		health.NoNode: elsewhere, health.NotJoined: elsewhere, health.CannotPowerOff: elsewhere, health.InhibitorLimit: elsewhere,
		health.Network: elsewhere, health.Socket: elsewhere, health.Metrics: elsewhere, health.MDNS: elsewhere, health.Identity: elsewhere,
		health.LateUnit: "a rack in memory needs nobody to install it", health.WakeUnarmed: elsewhere, health.UPSDisabled: elsewhere,
		health.SecondClaimant: elsewhere, health.AlarmUnsent: elsewhere, health.NoWayBack: elsewhere,
	}
}

func checkFound(t *testing.T, found map[string]int) {
	not := unfound()
	for _, k := range health.Kinds() {
		why, listed := not[k.Name]
		switch n := found[k.Name]; {
		case n == 0 && !listed:
			t.Errorf("no rack had the problem %q", k.Name)
		case n > 0 && listed:
			t.Errorf("%d times a rack had the problem %q, and unfound says that none can: %s", n, k.Name, why)
		}
	}
}

func tally(found map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, fmt.Sprintf("%s %d", name, found[name]))
	}
	return strings.Join(all, ", ")
}
