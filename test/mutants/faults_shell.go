package mutants

// masterFaults are wrong states, orders and members on the master.
var masterFaults = []Fault{
	{
		Name: "what an earlier run knew is told before the UPS is read", File: "master/ups.go",
		Old: "return !u.read", New: "return false", Laws: []int{3},
	},
	{
		Name: "a story takes the moment when it heard for the one when it was", File: "master/history/fold.go",
		Old: "since = f.past(ev.Since)", New: "since = f.now", Laws: []int{12},
	},
	{
		Name: "newest session does not win: the old one is served on", File: "master/hub.go",
		Old: "close(n.session.replaced)", New: "_ = n.session.replaced", Laws: []int{1},
	},
	{
		Name: "newest session does not win: an old one's end is the node's", File: "master/hub.go",
		Old: "mine := n != nil && n.session == s", New: "mine := n != nil", Laws: []int{1},
	},
	{
		Name: "newest session does not win: an old one's report counts", File: "master/hub.go",
		Old: "if n == nil || n.session != s || r == nil {", New: "if n == nil || r == nil {", Laws: []int{1},
	},
	{
		Name: "a node that says it goes is lost", File: "master/hub.go",
		Old: "leaving := mine && n.report.GetLeaving()", New: "leaving := mine && n == nil",
	},
	{
		Name: "removed node still admitted", File: "master/members.go",
		Old: "err = keys.Remove(name)", New: "err = nil", Laws: []int{8},
	},
	{
		Name: "a removed node's stream lives on", File: "master/hub.go",
		Old: "close(n.session.removed)\n\t}\n\tdelete(h.nodes, name)", New: "}\n\tdelete(h.nodes, name)", Laws: []int{8},
	},
	{
		Name: "the nodes are not told who was removed", File: "master/power.go",
		Old: "r.Removed, told = removed, len(removed)", New: "told = len(removed)", Laws: []int{8},
	},
	{
		Name: "a shutdown order survives a reboot", File: "master/hub.go",
		Old: "n.order.Kind == policy.OrderShutdown && n.orderOf != hello.GetBootId()", New: "n.order.Kind == policy.OrderShutdown && n.orderOf == \"\"", Laws: []int{7},
	},
	{
		Name: "a shutdown order that was obeyed stands", File: "master/hub.go",
		Old: "r.GetPhase() == upsv1.Phase_PHASE_DONE && n.order.Kind == policy.OrderShutdown", New: "r == nil && n.order.Kind == policy.OrderShutdown", Laws: []int{7},
	},
	{
		Name: "the master sends a hold that is over", File: "master/orders.go",
		Old: "n.order.Kind == policy.OrderHold && !n.order.Until.After(h.now())", New: "n.order.Kind == policy.OrderHold && n.order.Until == 0",
	},
	{
		Name: "half of an order is given when the other half is wrong", File: "master/orders.go",
		Old: "if orders[i], err = change(n); err != nil {", New: "if orders[i], err = change(n); err != nil && i == 0 {",
	},
	{
		Name: "a restart of the master forgets orders", File: "master/state.go",
		Old: "n.order.Kind == policy.OrderNone && n.session == nil {", New: "n.order.Kind != policy.OrderNone && n.session == nil {", Laws: []int{10},
	},
	{
		Name: "a restart of the master takes another boot's state", File: "master/state.go",
		Old: "case r.v.Boot == boot:", New: `case r.s.Boot != "":`, Laws: []int{1},
	},
	{
		Name: "a hanging disk keeps the master from starting", File: "master/state.go",
		Old: "time.NewTimer(loadLimit)", New: "time.NewTimer(24 * time.Hour)", Laws: []int{10},
	},
	{
		Name: "a new state waits for the next heartbeat", File: "master/hub.go",
		Old: "changed {\n\t\t\th.wakeSessions()", New: "changed {\n\t\t\th.wakeWatchers()",
	},
	{
		Name: "the master's own host is not woken", File: "master/hub.go",
		Old: "if n.wake != nil {", New: "if n.wake != nil && n.session != nil {", Laws: []int{5},
	},
	{
		Name: "a slow reader holds the hub", File: "master/hub.go",
		Old: "case c <- struct{}{}:\n\tdefault:\n\t}", New: "case c <- struct{}{}:\n\t}", Laws: []int{10},
	},
	{
		Name: "a silent node is never noticed", File: "master/power.go",
		Old: "quiet > (missedBeats+1)*tempo {", New: "quiet > (missedBeats+1)*tempo*3600 {",
	},
	{
		Name: "a master goes without a goodbye", File: "master/power.go",
		Old: "r.Goodbye = true", New: "r.Goodbye = false", Laws: []int{2},
	},
	{
		Name: "a simulated state does not say that it is one", File: "master/ups.go",
		Old: "st.Sim = u.sim", New: "st.Sim = false", Laws: []int{11},
	},
	{
		Name: "blind is no problem", File: "master/ups.go",
		Old: "case st.Status == power.Unknown:", New: "case st.Status == power.Unknown && u.mute:", Laws: []int{2},
	},
	{
		Name: "the master looks at no deadline of a UPS", File: "master/ups.go",
		Old: "timer.Reset(max(0, at.Sub(u.now())))", New: "timer.Reset(max(time.Hour, at.Sub(u.now())))",
	},
	{
		Name: "of two samples the older wins", File: "master/source.go",
		Old: "select {\n\t\tcase <-c:\n\t\tdefault:\n\t\t}", New: "return", Laws: []int{1},
	},
	{
		Name: "a port that cannot be read reads as mains", File: "master/source.go",
		Old: "power.Signals{Blind: true, ", New: "power.Signals{Blind: false, ", Laws: []int{2},
	},
	{
		Name: "the master reloads while a UPS is on battery", File: "master/reload.go",
		Old: "if is := u.State.Known(); is.OnBattery() {", New: "if is := u.State.Known(); is.OnBattery() && u.Name == \"\" {", Laws: []int{10},
	},
	{
		Name: "a machine that did not come back is no problem", File: "master/status.go",
		Old: "case went && h.onBattery():", New: "case went && n.name != \"\":", Laws: []int{7},
	},
	{
		Name: "a machine that went down in an outage is a problem at once", File: "master/status.go",
		Old: "case went && h.onBattery():", New: "case went && n.name == \"\":",
	},
	{
		Name: "the power's return is told nobody", File: "master/tell.go",
		Old: "case is.Status == power.OK && was.Status.OnBattery():", New: "case is.Status == power.OK && was.Status == power.Unknown:",
	},
	{
		Name: "a reload is a blind moment", File: "master/reload.go",
		Old: "m.hub.goOn(before.hub, r.name)", New: "_ = before.hub", Laws: []int{2},
	},
	{
		Name: "a reload reads the new cable by the old one's state", File: "master/reload.go",
		Old: "reflect.DeepEqual(old.cfg, r.cfg)", New: "(reflect.DeepEqual(old.cfg, r.cfg) || old.q != nil)", Laws: []int{10},
	},
	{
		Name: "the old key's stream lives on when the place is given away", File: "master/hub.go",
		Old: "close(n.session.removed)\n\t\t\tn.session, n.link", New: "n.session, n.link", Laws: []int{8},
	},
	{
		Name: "a shutdown that a node cannot hear is remembered", File: "master/control.go",
		Old: "if !n.host && n.session == nil {", New: `if !n.host && n.session == nil && n.name == "" {`, Laws: []int{7},
	},
	{
		Name: "a hold may last for ever", File: "master/control.go",
		Old: "if d <= 0 || d > maxHold {", New: "if d <= 0 {",
	},
	{
		Name: "an order is not kept for a restart", File: "master/control.go",
		Old: "s.m.save()\n\treturn nil", New: "return nil", Laws: []int{10},
	},
	{
		Name: "a kept order forgets which boot it is for", File: "master/state.go",
		Old: "Of: n.orderOf", New: `Of: ""`, Laws: []int{7},
	},
}

// agentFaults are states and links badly heard.
var agentFaults = []Fault{
	{
		Name: "a master that went silent is not missed", File: "agent/session.go",
		Old: "silence.Reset(missedBeats * heartbeat(m))", New: "silence.Reset(24 * time.Hour)", Laws: []int{2},
	},
	{
		Name: "a lost link is called up", File: "agent/session.go",
		Old: "s.link = power.LinkLost", New: "s.link = power.LinkUp", Laws: []int{2},
	},
	{
		Name: "a goodbye is not heard", File: "agent/session.go",
		Old: "s.link = power.LinkAway", New: "s.link = power.LinkUp", Laws: []int{2},
	},
	{
		Name: "an order is no news", File: "agent/session.go",
		Old: " || order != s.order ||", New: " ||",
	},
	{
		Name: "a state is no news", File: "agent/session.go",
		Old: "|| !slices.Equal(ups, s.ups)", New: "|| !slices.Equal(ups[:0], s.ups[:0])", Laws: []int{1},
	},
	{
		Name: "who is still up is no news", File: "agent/session.go",
		Old: " || !awaited.Equal(s.awaited)", New: "", Laws: []int{1},
	},
	{
		Name: "a restarted master takes for off whom it has not heard", File: "master/master.go",
		Old: "	m.hub.restoreUp(m.state)\n", New: "", Laws: []int{5},
	},
	{
		Name: "who was not there when the outage began is waited for", File: "master/waiting.go",
		Old: "s.Present = s.Attached || h.wasThere(n) || n.committed != 0", New: "s.Present = true",
	},
	{
		Name: "a node that has just begun lives on nothing", File: "master/hub.go",
		Old: "len(f) > 0 && !slices.Equal(n.feeds, f)", New: "!slices.Equal(n.feeds, f)", Laws: []int{5},
	},
	{
		Name: "a new state within jitter is as old as the one before", File: "agent/session.go",
		Old: "w.State.Status == n.Status && ", New: "", Laws: []int{1},
	},
	{
		Name: "tries to reach the master grow rare without end", File: "agent/session.go",
		Old: "wait = min(2*wait, retryMax)", New: "wait = 2 * wait",
	},
	{
		Name: "a node goes without saying so", File: "agent/session.go",
		Old: "r.Leaving = true", New: "r.Leaving = false",
	},
	{
		Name: "a phase is told at the next heartbeat", File: "agent/agent.go",
		Old: "case s.reports <- struct{}{}:", New: "case map[*session]chan struct{}{}[s] <- struct{}{}:",
	},
	{
		Name: "removed keys are let in", File: "agent/racks.go",
		Old: "r.removed.Store(&next)", New: "_ = next", Laws: []int{8},
	},
	{
		Name: "the last good address is forgotten", File: "agent/racks.go",
		Old: "a.saver.Put(good)", New: "_ = good", Laws: []int{10},
	},
	{
		Name: "the agent reloads while a feed is on battery", File: "agent/reload.go",
		Old: "if is.OnBattery() && (", New: "if is > 3 && (", Laws: []int{10},
	},
	{
		Name: "a node that joined no rack is no problem", File: "agent/agent.go",
		Old: "if a.loaded && len(a.sessions) == 0 {", New: "if a.loaded && len(a.sessions) < 0 {",
	},
	{
		Name: "a reload loses the racks", File: "agent/reload.go",
		Old: "a.handed = append(a.handed, newSession(a, s.rack))", New: "_ = s.rack", Laws: []int{10},
	},
	{
		Name: "a reload forgets where the machine was", File: "agent/reload.go",
		Old: "a.state.Inherit(before.state)", New: "_ = before.state", Laws: []int{10},
	},
	{
		Name: "a configuration that forgets the racks is adopted", File: "agent/reload.go",
		Old: "if err == nil && len(racks) == 0 {", New: "if err == nil && len(racks) < 0 {", Laws: []int{10},
	},
}

// wireFaults are things said wrongly between the two.
var wireFaults = []Fault{
	{
		Name: "age ignored on the wire", File: "api/convert.go",
		Old: "now.Add(-positive(p.GetAge()))", New: "now", Laws: []int{1},
	},
	{
		Name: "an outage's age ignored on the wire", File: "api/convert.go",
		Old: "s.OutageSince = now.Add(-positive(p.GetOutageAge()))", New: "s.OutageSince = now", Laws: []int{1},
	},
	{
		Name: "a status that nobody knows is OK", File: "api/convert.go",
		Old: "default:\n\t\treturn power.Unknown", New: "default:\n\t\treturn power.OK", Laws: []int{2},
	},
	{
		Name: "a pretended state is real once it was sent", File: "api/convert.go",
		Old: "p.GetSim(),", New: "false,", Laws: []int{11},
	},
	{
		Name: "a drill is real once it was sent", File: "api/convert.go",
		Old: "p.GetDrill(),", New: "false,", Laws: []int{11},
	},
	{
		Name: "a state of the future is believed", File: "api/convert.go",
		Old: "return min(max(0, d.AsDuration()), maxDuration)", New: "return min(d.AsDuration(), maxDuration)", Laws: []int{1},
	},
	{
		Name: "a call that names no role is everybody's", File: "api/auth.go",
		Old: "for _, r := range g.allowed[method] {", New: "if len(g.allowed[method]) == 0 {\n\t\treturn ctx, nil\n\t}\n\tfor _, r := range g.allowed[method] {", Laws: []int{8},
	},
	{
		Name: "any role may make any call", File: "api/auth.go",
		Old: "&& slices.Contains(peer.Roles, r) {", New: "&& (slices.Contains(peer.Roles, r) || r > 0) {", Laws: []int{8},
	},
}
