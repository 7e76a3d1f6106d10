package setup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
)

// ourProcess is the name under which our own master holds a port.
const ourProcess = "upsmaster"

// choosePort lists what there is and asks.
func (w *wizard) choosePort(ctx context.Context) error {
	w.t.gap()
	for {
		ports, def := w.listPorts()
		port, err := w.t.ask(ctx, question{
			what: "the port", flag: "--port PATH", given: w.o.Answers.Port, def: def,
			text: "Which port is the UPS's cable in? Its number or path, or sim; look: list them again",
			check: func(s string) (string, error) {
				if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= len(ports) {
					s = ports[n-1].Name()
				}
				if s == "look" && w.o.Answers.Port == "" {
					return s, nil
				}
				return w.checkPort(s)
			},
		})
		if err != nil {
			return err
		}
		if port == "look" {
			continue
		}
		w.plan.port = port
		w.t.say("Port: %s", port)
		w.meddlers(port)
		return nil
	}
}

// listPorts shows every port unless one was named already, and returns them with the
// default answer: the number of the first that could be used, if it is a USB adapter
// or the only one.
func (w *wizard) listPorts() (ports []line.PortInfo, def string) {
	if w.o.Answers.Port != "" || !w.o.Terminal {
		return nil, ""
	}
	ports, err := w.o.Ports()
	if err != nil {
		w.t.say("%v", err)
	}
	if len(ports) == 0 {
		w.t.say("No serial port was found. Plug the adapter in and write look, or write sim to play without one.")
	}
	var usable []int // USB adapters before a board's own ports
	for i, p := range ports {
		w.t.item("  %d. %s", i+1, p.String())
		if p.Trouble() == nil {
			usable = append(usable, i)
		}
	}
	if len(usable) == 1 || len(usable) > 1 && ports[usable[0]].USB != "" && ports[usable[1]].USB == "" {
		def = strconv.Itoa(usable[0] + 1)
	}
	w.t.item("  sim. no hardware: a UPS that you play with `upsctl sim`")
	if w.plan.base != nil && w.plan.base.UPS[0].Port != "" {
		def = w.plan.base.UPS[0].Port
	}
	return ports, def
}

// checkPort says whether a port could be a UPS's, and returns the name to write.
func (w *wizard) checkPort(s string) (string, error) {
	if s == master.SimPort {
		return s, nil
	}
	if err := config.CheckPath(s); err != nil {
		return "", errors.New("that is no port; write one of the numbers, a full path such as /dev/ttyS0, or sim")
	}
	p, err := w.o.Port(s)
	if err != nil {
		return "", err
	}
	if h := stranger(p); h != nil {
		return "", fmt.Errorf("%s is %w; %s", s, h, line.Release(h.Name, filepath.Base(p.Path)))
	}
	if len(p.Holders) == 0 {
		if err := p.Trouble(); err != nil {
			return "", fmt.Errorf("cannot use %s: %w", s, err)
		}
	}
	if s == p.Path && p.ByID != "" {
		w.t.say("%s may get another number at the next boot; %s is the same port for ever.", s, p.ByID)
		return p.ByID, nil
	}
	return s, nil
}

// stranger returns who holds a port that our master would not share it with.
func stranger(p line.PortInfo) *line.HeldError {
	for i := range p.Holders {
		// Process 1 keeps the descriptors that our own service stored.
		if p.Holders[i].Name != ourProcess && p.Holders[i].PID != 1 {
			return &p.Holders[i]
		}
	}
	return nil
}

// held reports whether our own master has the port.
func held(p line.PortInfo) bool {
	for _, h := range p.Holders {
		if h.Name == ourProcess {
			return true
		}
	}
	return false
}

// meddlers warns of programs that will open the port sooner or later.
func (w *wizard) meddlers(port string) {
	if port == master.SimPort {
		return
	}
	tty := filepath.Base(port)
	if real, err := filepath.EvalSymlinks(port); err == nil {
		tty = filepath.Base(real)
	}
	for _, m := range w.o.Meddlers() {
		w.t.say("Warning: %s (pid %d) runs, and opens serial ports uninvited: each time the lines jump. To keep it off: %s", m.Name, m.PID, line.Release(m.Name, tty))
	}
}
