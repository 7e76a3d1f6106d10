package master

import (
	"context"
	"fmt"
	"strings"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// vitals returns what must answer for the master to live: the hub, every UPS's
// runner, and what drives this host.
func (m *Master) vitals() []*daemon.Pulse {
	all := []*daemon.Pulse{{Name: "the hub", Ask: func(answer func()) {
		go func() {
			m.hub.tempo() // takes the mutex that everything hangs on
			answer()
		}()
	}}}
	for _, r := range m.runners {
		all = append(all, &daemon.Pulse{Name: r.String(), Ask: r.ping})
	}
	if m.host != nil {
		all = append(all, &daemon.Pulse{Name: m.host.driver.String(), Ask: m.host.driver.Ping})
	}
	return all
}

// alive says which of the master's parts don't answer; nil: all do.
func (m *Master) alive(ctx context.Context) error { return daemon.Answering(ctx, m.pulses...) }

// unready says why this master can't tell its nodes of a power failure now, a line
// each; empty: it can.
func (m *Master) unready(ctx context.Context) []string {
	if err := m.alive(ctx); err != nil {
		return strings.Split(err.Error(), "\n") // the hub may be what hangs: ask it nothing
	}
	return m.unreadyIn(m.status())
}

// unreadyIn is unready by what a snapshot says.
func (m *Master) unreadyIn(st *upsv1.MasterStatus) []string {
	var why []string
	for _, u := range st.GetUps() {
		if u.GetStatus() == upsv1.Status_STATUS_UNSPECIFIED {
			why = append(why, fmt.Sprintf("ups/%s: %s", u.GetName(), u.GetReason()))
		}
	}
	m.mu.Lock()
	err := m.trouble[health.Network]
	m.mu.Unlock()
	switch {
	case err != nil:
		why = append(why, "master/"+m.cfg.Name+": "+err.Error())
	case m.door.Load() == nil:
		why = append(why, "master/"+m.cfg.Name+": the network is not listened on yet")
	}
	for i := range why {
		why[i] = strings.Join(strings.Fields(why[i]), " ") // one line each, whatever an error has
	}
	return why
}

// health is what the master says of itself by grpc.health.v1.
func (m *Master) health(stopping <-chan struct{}) api.Health {
	return api.Health{Service: api.MasterService, Alive: m.alive, Unready: m.unready, Stopping: stopping}
}
