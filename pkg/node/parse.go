package node

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// A day is longer than any battery of the kind this is for: longer durations are
// slips of the pen.
const day = 24 * time.Hour

// nameForm is what nodes, masters, UPSes and roles may be called.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// unitForm is what may stand between "@" and ".service" without escaping
// (systemd.unit(5)).
var unitForm = regexp.MustCompile(`^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\-]{0,199}$`)

// ParseSettings reads the tables of agent.toml's root or master.toml's [node].
// What is wrong goes into the document's errors.
func ParseSettings(t *config.Table) Settings {
	s := Settings{ObeySim: t.Bool("obey_sim", false)}
	s.power(t.Table("power"))
	s.policy(t.Table("policy"))
	s.shutdown(t.Table("shutdown"))
	w := t.Table("wake")
	s.Wake = w.Choices("method", defaultWake(), policy.WakeCycle, policy.WakeWOL, policy.WakeRTC, policy.WakeHook)
	s.hooks(t)
	return s
}

// ParseRackHooks reads the [[hook]] tables at the top of master.toml, which hear of one
// event more: a machine that is to be switched on.
func ParseRackHooks(t *config.Table) []Hook {
	var s Settings
	s.hooks(t, string(policy.EventWake))
	return s.Hooks
}

func (s *Settings) hooks(t *config.Table, more ...string) {
	for _, h := range t.Tables("hook") {
		s.Hooks = append(s.Hooks, parseHook(h, more))
	}
	s.commitHooks(t)
}

func (s *Settings) power(t *config.Table) {
	s.Feeds = t.Strings("feeds")
	for i, f := range s.Feeds {
		master, ups, ok := strings.Cut(f, "/")
		switch {
		case !ok || !nameForm.MatchString(master) || !nameForm.MatchString(ups):
			t.ErrorAt("feeds", i, `%q does not name a UPS; write "MASTER/UPS", as in "rack1/main"`, f)
		case slices.Contains(s.Feeds[:i], f):
			t.ErrorAt("feeds", i, "%q stands here twice; write each feed once", f)
		}
	}
	s.Need = t.Int("need", 1, 1, 64)
	switch n := len(s.Feeds); {
	case n == 0 && s.Need > 1:
		t.Errorf("need", "%d feeds are needed and none is named; write them into feeds", s.Need)
	case n > 0 && s.Need > n:
		t.Errorf("need", "%d feeds are needed and %d named; write at most %d", s.Need, n, n)
	}
}

// maxWaitFor is how many words of wait_for a master takes.
const maxWaitFor = 64

func (s *Settings) policy(t *config.Table) {
	grace, word := t.DurationOr("grace", "5m", 0, day, "batlow")
	s.Grace, s.GraceBatLow = grace, word == "batlow"
	if s.GraceBatLow {
		s.Grace = fallbackGrace
	}
	s.GraceMin = t.Duration("grace_min", 30*time.Second, 0, day)
	s.BatLowGrace = t.Duration("batlow_grace", 0, 0, time.Hour)
	s.WaitFor = t.Strings("wait_for")
	for i, w := range s.WaitFor {
		if i == maxWaitFor {
			t.ErrorAt("wait_for", i, "more than %d are too many; give them a role and write \"role:NAME\"", maxWaitFor)
			break
		}
		if w != "*" && !nameForm.MatchString(strings.TrimPrefix(w, "role:")) {
			t.ErrorAt("wait_for", i, `%q names nobody; write a node's name, "role:NAME" or "*"`, w)
		}
	}
	s.WaitLimit = t.Duration("wait_limit", 2*time.Minute, 0, day)
	s.WaitLimitBatLow = t.Duration("wait_limit_batlow", 20*time.Second, 0, time.Hour)
	s.LostLimit = t.Duration("lost_limit", 2*time.Minute, 0, day)
	// Under 10 s a master's restart would look like blindness.
	s.BlindLimit, _ = t.DurationOr("blind_limit", "never", 10*time.Second, day, "never")
}

func (s *Settings) shutdown(t *config.Table) {
	def := []string{shutdown.MethodLogind, shutdown.MethodSystemctl}
	s.Methods = t.Choices("method", def, shutdown.Methods()...)
	s.Command = t.Strings("command")
	s.StopTime = t.Duration("stop_time", 2*time.Minute, time.Second, time.Hour)
	hasCommand := slices.Contains(s.Methods, shutdown.MethodCommand)
	switch {
	case len(s.Methods) == 0:
		t.Errorf("method", `no method is named, so this machine could not go down; write one, or ["none"] for a dry run`)
		s.Methods = def
	case len(s.Methods) > 1 && slices.Contains(s.Methods, shutdown.MethodNone):
		t.Errorf("method", `"none" stands beside other methods; write ["none"] alone for a dry run, or leave it out`)
	case hasCommand && (len(s.Command) == 0 || s.Command[0] == ""):
		t.Errorf("command", `the method "command" has no command; write command = ["/path/to/program", "argument"]`)
	case hasCommand && !filepath.IsAbs(s.Command[0]):
		t.ErrorAt("command", 0, `%q is not a full path; write "/path/to/program"`, s.Command[0])
	case !hasCommand && len(s.Command) > 0:
		t.Errorf("command", `it is never used; write method = ["command"] too, or leave it out`)
	}
}

// events are the words of "on".
func events(t *config.Table, more []string) []policy.Event {
	words := append([]string{"fail", "batlow", "ok", "grace", "cancel", "commit", "problem", "clear", "report"}, more...)
	var out []policy.Event
	for _, w := range t.Choices("on", nil, words...) {
		out = append(out, policy.Event(w))
	}
	return out
}

func parseHook(t *config.Table, more []string) Hook {
	h := Hook{
		On:      events(t, more),
		Run:     t.Strings("run"),
		Unit:    t.String("unit", ""),
		Timeout: t.Duration("timeout", 30*time.Second, 100*time.Millisecond, time.Hour),
		Drill:   t.Bool("drill", false),
	}
	if !t.Has("on") || len(t.Strings("on")) == 0 {
		t.Errorf("on", `the hook names no event and would never run; write on = ["commit"]`)
	}
	hasRun, hasUnit := t.Has("run"), t.Has("unit")
	switch {
	case hasRun == hasUnit:
		t.Errorf("run", `a hook has either run or unit; write run = ["/path/to/program"] or unit = "NAME"`)
	case hasUnit && !unitForm.MatchString(h.Unit):
		t.Errorf("unit", `%q is not an instance name; write "NAME" for lastwatt-hook@NAME.service`, h.Unit)
	case hasRun && (len(h.Run) == 0 || !filepath.IsAbs(h.Run[0])):
		t.Errorf("run", `the program is not named by its full path; write run = ["/path/to/program"]`)
	}
	return h
}

// commitHooksMax bounds what stands between time is up and the power-off; the
// machine itself stops waiting after 10 minutes.
const commitHooksMax = 9 * time.Minute

// commitHooks looks at what the commit hooks take together.
func (s *Settings) commitHooks(t *config.Table) {
	var sum time.Duration
	for i, h := range t.Tables("hook") {
		if !slices.Contains(s.Hooks[i].On, policy.EventCommit) {
			continue
		}
		if sum += s.Hooks[i].Timeout; sum > commitHooksMax {
			h.Errorf("timeout", "the commit hooks up to this one may take %s; write shorter ones, %s in all",
				config.FormatDuration(sum), config.FormatDuration(commitHooksMax))
			return
		}
	}
}
