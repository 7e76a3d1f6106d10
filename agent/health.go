package agent

import (
	"context"
	"strings"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// alive says whether what drives this machine answers.
func (a *Agent) alive(ctx context.Context) error { return daemon.Answering(ctx, a.pulse) }

// unready says why this node may not hear of a power failure now, a line each;
// empty: it will.
func (a *Agent) unready(ctx context.Context) []string {
	if err := a.alive(ctx); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	a.mu.Lock()
	loaded, identity := a.loaded, a.trouble[health.Identity]
	a.mu.Unlock()
	sessions := a.allSessions()
	var why []string
	switch {
	case !loaded:
		why = append(why, "what this node joined has not been read yet")
	case identity != nil:
		why = append(why, identity.Error())
	case len(sessions) == 0:
		why = append(why, "this node has joined no rack")
	}
	for _, s := range sessions {
		s.mu.Lock()
		if s.link != power.LinkUp {
			why = append(why, "no contact with "+s.master+": "+s.err)
		}
		s.mu.Unlock()
	}
	return why
}

// health is what the agent says of itself by grpc.health.v1.
func (a *Agent) health(stopping <-chan struct{}) api.Health {
	return api.Health{Service: api.AgentService, Alive: a.alive, Unready: a.unready, Stopping: stopping}
}
