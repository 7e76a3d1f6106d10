package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// Answers are those that were given on the command line. An empty one is asked for.
type Answers struct {
	Config    string // the file to write
	Name      string // of the master and its rack
	UPS       string // of the UPS
	Port      string // a tty's path, or "sim"
	Cable     string // its name in the catalogue
	Runtime   string // of a full battery
	Grace     string // of this host, on battery
	Listen    string // where agents connect
	Yes       bool   // take every default, write the file
	YesOpen   bool   // open the port although it pulses the lines
	Replace   bool   // a file that is there already may be replaced
	NoService bool   // leave the service alone
}

// Prober is what looks at an open port; [line.Probe] is one.
type Prober interface {
	Run(ctx context.Context) error
	Changes() <-chan line.Change
	Drive(ctx context.Context, levels line.Lines) error
}

var _ Prober = (*line.Probe)(nil)

// Master is a running master, asked through its socket.
type Master interface {
	// Look returns what it says about its UPSes.
	Look(ctx context.Context) ([]View, error)
	// Token returns a new token for one machine, and how long it is good for.
	Token(ctx context.Context) (string, time.Duration, error)
}

// View is what a master says about one UPS.
type View struct {
	Name, State, Cable, Reason string
	Lines                      []string
}

// Options are everything that a setup may touch.
type Options struct {
	Answers
	In       io.Reader
	Out      io.Writer
	Terminal bool   // In is somebody who can answer
	Host     string // this machine's name
	Ports    func() ([]line.PortInfo, error)
	Port     func(path string) (line.PortInfo, error)
	Meddlers func() []line.HeldError
	Probe    func(line.ProbeOptions) Prober
	// Systemd says that a service manager runs; Run runs a program and returns what it
	// said.
	Systemd bool
	Run     func(ctx context.Context, argv ...string) (string, error)
	Master  func(socket string) Master
	Log     *slog.Logger
}

// unit is the service, and unitConfig the file that it reads.
const (
	unit       = "upsmaster.service"
	unitConfig = "/etc/lastwatt/master.toml"
)

// wizard is one run.
type wizard struct {
	o       Options
	t       *terminal
	there   existing // what stands at Config
	running []View   // what a running master said; nil: none answered
	plan    plan
	written bool
}

// Run asks what isn't answered yet and does what is agreed. Its error is what to tell
// the owner; a cancelled ctx is one too.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &wizard{o: o, t: newTerminal(ctx, o.In, o.Out, o.Terminal, o.Yes)}
	err := w.run(ctx)
	if !errors.Is(err, context.Canceled) {
		return err
	}
	w.t.gap()
	if w.written {
		return fmt.Errorf("stopped; %s is written and complete, go on with: %s", o.Config, w.startHint())
	}
	return errors.New("stopped; nothing was written")
}

func (w *wizard) run(ctx context.Context) error {
	steps := []func(context.Context) error{
		w.begin, w.choosePort, w.chooseCable, w.chooseTimes, w.chooseNames, w.write, w.start,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin looks at what is there before anybody is asked for anything.
func (w *wizard) begin(ctx context.Context) error {
	var err error
	if w.there, err = look(w.o.Config); err != nil {
		return err
	}
	w.plan = newPlan(w.there.config)
	w.t.say("Lastwatt setup. Nothing is opened, driven or written before you have agreed to it. Ctrl-C ends it at any moment.")
	views, err := w.o.Master(w.plan.socket()).Look(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		w.running = views
		w.t.gap()
		w.t.say("A master runs here already. It says:")
		w.tell(views)
	}
	if w.there.text == nil || w.there.blank() {
		return nil // nothing there, or what the package brought
	}
	w.t.gap()
	w.t.say("%s is there already. It would be kept as %s.", w.o.Config, w.there.keep)
	if left := w.there.left(); left != "" {
		w.t.say("What setup does not take over into the new one: %s.", left)
	}
	ok, err := w.t.confirm(ctx, "Go on, to write a new one in the end?", "whether "+w.o.Config+" may be replaced", "--replace", w.o.Replace, "n")
	if err == nil && !ok {
		err = errors.New("stopped; nothing was written")
	}
	return err
}

func (w *wizard) tell(views []View) {
	for _, v := range views {
		text := fmt.Sprintf("  UPS %s: %s", v.Name, v.State)
		if v.Cable != "" {
			text += ", cable " + v.Cable
		}
		switch {
		case v.Reason != "":
			text += ": " + v.Reason
		case len(v.Lines) > 0:
			text += fmt.Sprintf(", lines high: %v", v.Lines)
		}
		w.t.item("%s", text)
	}
}

// chooseTimes asks how long the battery lasts and what this host makes of it.
func (w *wizard) chooseTimes(ctx context.Context) error {
	w.t.gap()
	runtime, err := w.t.ask(ctx, question{
		what: "how long the battery lasts", flag: "--runtime", given: w.o.Runtime, def: w.plan.runtime, check: checkRuntime,
		text: `How long does a full battery carry the load, such as 12m? "unknown" if you can't say`,
	})
	if err != nil {
		return err
	}
	w.plan.runtime = runtime
	w.plan.grace, err = w.t.ask(ctx, question{
		what: "this machine's grace", flag: "--grace", given: w.o.Grace, def: w.plan.grace,
		text:  `How long on battery before this machine shuts itself down, after all others? Such as 5m, or "batlow" to wait for the UPS to say that its battery is low`,
		check: func(s string) (string, error) { return checkGrace(s, w.plan.hasLow()) },
	})
	if err != nil {
		return err
	}
	full, err1 := time.ParseDuration(runtime)
	grace, err2 := time.ParseDuration(w.plan.grace)
	if err1 == nil && err2 == nil && grace >= full {
		w.t.say("Note: %s is longer than the battery lasts, so it will be shortened to what fits.", w.plan.grace)
	}
	return nil
}

func (w *wizard) chooseNames(ctx context.Context) error {
	def := w.plan.name
	if def == "" && trust.CheckName(w.o.Host) == nil {
		def = w.o.Host
	}
	var err error
	w.plan.name, err = w.t.ask(ctx, question{
		what: "the name", flag: "--name", given: w.o.Name, def: def, check: checkName,
		text: "What is this rack called",
	})
	if err != nil {
		return err
	}
	if w.o.UPS != "" {
		w.plan.ups = w.o.UPS
	}
	if _, err := checkName(w.plan.ups); err != nil {
		return fmt.Errorf("--ups: %w", err)
	}
	if w.o.Listen != "" {
		w.plan.listen = w.o.Listen
	}
	return nil
}

func checkName(s string) (string, error) {
	if err := trust.CheckName(s); err != nil {
		return "", fmt.Errorf("%w; write one such as rack1", err)
	}
	return s, nil
}

// unknown is what a person may say of the battery's runtime.
const unknown = "unknown"

func checkRuntime(s string) (string, error) {
	if s == "" || s == unknown {
		return unknown, nil
	}
	return checkDuration(s, 10*time.Second)
}

func checkGrace(s string, hasLow bool) (string, error) {
	if s != "batlow" {
		return checkDuration(s, 0)
	}
	if !hasLow {
		return "", errors.New("this cable can't say that the battery is low; write a time such as 5m")
	}
	return s, nil
}

func checkDuration(s string, least time.Duration) (string, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is no time; write one such as 90s, 5m or 1h30m", s)
	case d < least || d > 24*time.Hour:
		return "", fmt.Errorf("%s is out of range; write %s to 24h", s, config.FormatDuration(least))
	}
	return s, nil
}

// startHint is how to start the service by hand.
func (w *wizard) startHint() string {
	if w.o.Systemd && w.o.Config == unitConfig {
		return "systemctl enable --now upsmaster"
	}
	return "upsmaster run --config " + w.o.Config
}

// sim reports whether the port is the one to play with.
func (p plan) sim() bool { return p.port == master.SimPort }
