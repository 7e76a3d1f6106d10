package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// world is one node, its power and its clock, moved by the commands of a script.
type world struct {
	now     power.Uptime
	cfg     policy.Config
	m       *policy.Machine
	saved   []byte // the state file, while the agent is dead
	feed    feed   // the only feed, where feeds is nil
	feeds   *power.Feeds
	named   map[string]*feed
	wires   *power.Qualifier // where the script moves wires
	attempt int
	out     []string
}

// feed is one UPS as the script made it, and the contact with its master.
type feed struct {
	state power.State
	link  power.Link
	count int
}

// play runs a script and returns it with what the machine did below each command.
func play(script string) (string, error) {
	w := &world{cfg: standard(), feed: newFeed()}
	w.m = policy.NewMachine(w.cfg)
	var b strings.Builder
	for n, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, "    ") {
			continue // what an earlier run wrote
		}
		b.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		w.out = nil
		if err := w.do(strings.Fields(line)); err != nil {
			return "", fmt.Errorf("line %d: %q: %w", n+1, line, err)
		}
		if w.m != nil {
			w.out = append(w.out, w.summary())
		}
		for _, l := range w.out {
			b.WriteString("    " + l + "\n")
		}
	}
	return b.String(), nil
}

// standard is the configuration's defaults, with a minute of stop time for nobody.
func standard() policy.Config {
	return policy.Config{
		Grace: 5 * time.Minute, GraceMin: 30 * time.Second,
		WaitLimit: 2 * time.Minute, WaitLimitBatLow: 20 * time.Second,
		LostLimit: 2 * time.Minute, StopTime: 2 * time.Minute, Margin: time.Minute, Methods: 1,
	}
}

func newFeed() feed { return feed{state: power.State{HasLow: true}, link: power.LinkUp} }

func (w *world) do(f []string) error {
	switch f[0] {
	case "config":
		if err := w.config(f[1:]); err != nil {
			return err
		}
		w.record(w.m.Configure(w.now, w.cfg))
		return nil
	case "advance":
		d, err := time.ParseDuration(f[1])
		if err == nil {
			w.advance(w.now.Add(d))
		}
		return err
	case "suspend":
		d, err := time.ParseDuration(f[1])
		w.now = w.now.Add(d)
		w.step(policy.Resumed{Asleep: d})
		return err
	case "feeds":
		return w.setFeeds(f[1:])
	case "cable":
		return w.setCable(f[1:])
	case "wires":
		w.tell(&w.feed, w.wires.Step(w.now, signals(f[1:])))
		return nil
	case "crash":
		saved, err := json.Marshal(w.m.Snapshot())
		w.saved, w.m = saved, nil
		return err
	case "resume":
		var s policy.Snapshot
		err := json.Unmarshal(w.saved, &s)
		w.m = policy.NewMachine(w.cfg)
		w.record(w.m.Restore(w.now, s))
		return err
	}
	if fd, ok := w.named[f[0]]; ok {
		return w.power(fd, f[1:])
	}
	if slices.Contains([]string{"power", "link", "battery", "blind", "goodbye"}, f[0]) {
		if f[0] == "power" {
			f = f[1:]
		}
		return w.power(&w.feed, f)
	}
	return w.input(f)
}

// input gives the machine everything that is not power.
func (w *world) input(f []string) error {
	switch strings.Join(f[:min(2, len(f))], " ") {
	case "release":
		w.step(policy.Order{})
	case "end":
		w.step(policy.Order{Kind: policy.OrderEnd, By: "the master"})
	case "shutdown by":
		w.step(policy.Order{Kind: policy.OrderShutdown, By: f[2]})
	case "nothing heard":
		w.step(policy.Power{}) // what a driver that has just started may say
	case "hooks done":
		w.step(policy.HooksDone{})
	case "refuse":
		w.step(policy.Refused{Attempt: w.attempt, Method: "logind", Why: "not now"})
	case "refuse late":
		w.step(policy.Refused{Attempt: w.attempt - 1, Method: "logind", Why: "not then"})
	case "accept":
		w.step(policy.Accepted{Attempt: w.attempt, Method: "logind"})
	case "awaited nobody":
		w.step(policy.Awaited{})
	default:
		switch f[0] {
		case "hold":
			d, err := time.ParseDuration(f[1])
			w.step(policy.Order{Kind: policy.OrderHold, By: f[3], Until: w.now.Add(d)})
			return err
		case "awaited":
			in, err := w.awaited(f[1:])
			w.step(in)
			return err
		default:
			return fmt.Errorf("no such command")
		}
	}
	return nil
}

// power changes one feed: "ok", "fail [3m ago]", "batlow", "low on mains", "blind",
// "link lost|up", "goodbye", "battery runtime=…|debt=…|no-low|sim|drill|real".
func (w *world) power(fd *feed, f []string) error {
	s := fd.state
	switch f[0] {
	case "ok":
		s.Status, s.Outage, s.WeakBattery = power.OK, "", false
	case "low":
		s.Status, s.Outage, s.WeakBattery = power.OK, "", true
	case "fail", "batlow":
		s.Status = map[string]power.Status{"fail": power.Fail, "batlow": power.BatLow}[f[0]]
		if s.Outage == "" {
			fd.count++
			s.Outage, s.OutageSince = "o"+strconv.Itoa(fd.count), w.now
			if len(f) == 3 {
				d, err := time.ParseDuration(f[1])
				if err != nil {
					return err
				}
				s.OutageSince = w.now.Add(-d)
			}
		}
	case "blind":
		s.Status, s.Reason = power.Unknown, "the port is gone"
	case "link":
		fd.link = map[string]power.Link{"up": power.LinkUp, "lost": power.LinkLost}[f[1]]
	case "goodbye":
		fd.link = power.LinkAway
	case "battery":
		return battery(&fd.state, f[1:])
	default:
		return fmt.Errorf("no such power")
	}
	if s.Status != power.Unknown {
		s.Last, s.Reason = s.Status, ""
	}
	if s.Status != fd.state.Status {
		s.Since = w.now
	}
	w.tell(fd, s)
	return nil
}

// tell gives the machine the power with one feed replaced.
func (w *world) tell(fd *feed, s power.State) {
	fd.state = s
	if w.feeds == nil {
		w.step(policy.Power{State: fd.state, Link: fd.link})
		return
	}
	for n, fd := range w.named {
		w.feeds.Update(n, fd.state, fd.link)
	}
	state, link := w.feeds.Combined()
	w.step(policy.Power{State: state, Link: link})
}

// advance lets time pass and stops at each moment that anything is due.
func (w *world) advance(to power.Uptime) {
	for w.m != nil {
		next, due := w.m.Deadline()
		wires := false
		if w.wires != nil {
			if d, ok := w.wires.Deadline(); ok && (!due || d.Before(next)) {
				next, due, wires = d, true, true
			}
		}
		if !due || next.After(to) {
			break
		}
		w.now = max(w.now, next)
		if wires {
			w.tell(&w.feed, w.wires.Tick(w.now))
		} else {
			w.step(policy.Tick{})
		}
		if again, ok := w.m.Deadline(); ok && !again.After(w.now) {
			w.out = append(w.out, "STUCK: due again at once")
			break
		}
	}
	w.now = to
}

func (w *world) step(in policy.Input) { w.record(w.m.Step(w.now, in)) }

// record writes down actions as a reader of the script sees them.
func (w *world) record(actions []policy.Action) {
	for _, a := range actions {
		w.out = append(w.out, fmt.Sprintf("%-9s %s", w.now, w.tale(a)))
	}
}

func (w *world) tale(a policy.Action) string {
	switch a := a.(type) {
	case policy.Moved:
		return fmt.Sprintf("%s -> %s: %s", a.From, a.To, a.Reason)
	case policy.Say:
		return "tells: " + a.Text
	case policy.Hooks:
		return "runs hooks: " + string(a.Event)
	case policy.PowerOff:
		w.attempt = a.Attempt
		return fmt.Sprintf("asks for power-off, attempt %d: %s", a.Attempt, a.Reason)
	case policy.Cancel:
		return "takes the power-off back"
	case policy.Raise:
		return "problem " + a.Problem.Name + ": " + a.Problem.Text
	case policy.Clear:
		return "problem over: " + a.Name
	default:
		return fmt.Sprintf("%#v", a)
	}
}

// summary is where the machine stands after a command.
func (w *world) summary() string {
	v := w.m.View()
	s := "= " + v.Phase.String()
	if v.Timed {
		s += fmt.Sprintf(" for %s more", v.Deadline.Sub(w.now))
	}
	if w.wires != nil {
		s += ", UPS " + w.feed.state.Status.String()
	}
	return s
}
