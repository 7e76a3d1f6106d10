//go:build linux && (amd64 || arm64)

package rack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// host is the machine that the first serial cable ends in.
const host = "rack1"

// What a UPS does with its outlets.
const (
	outputOff = "OUTPUT OFF"
	outputOn  = "OUTPUT ON"
)

// supply is a UPS with the machine that its serial cable ends in.
type supply struct {
	t       testing.TB
	name    string // in the story
	address string // of the master
	cable   line.Cable
	tty     *vtty.TTY
	ups     *vtty.UPS
	host    *machine
	dead    bool // its outlets have no power; guarded by rack.plugs
}

// newSupply makes a UPS and its master's machine.
func (r *rack) newSupply(tty *vtty.TTY, name, host string, number int, cable, more string) *supply {
	r.t.Helper()
	s := &supply{t: r.t, name: name, address: fmt.Sprintf("10.77.0.%d:8493", number), tty: tty, cable: parseCable(r.t, cable)}
	s.ups = vtty.NewUPS(s.tty, s.cable)
	port := filepath.Join(r.dir, "port-"+name)
	if err := os.MkdirAll(port, 0o755); err != nil {
		r.t.Fatal(err)
	}
	vtty.Door(filepath.Join(port, "door"), s.tty)
	s.host = r.machine(host, number, "master", "--bind="+port+":"+portDoor, "--bind="+s.tty.Node()+":"+portNode)
	s.host.fed = []*supply{s}
	s.host.write("/etc/lastwatt/master.toml", fmt.Sprintf(masterTOML, more, portNode, cable))
	r.enable(s.host, "upsmaster.service", "lastwatt-cut.service")
	return s
}

func (r *rack) supplies() []*supply {
	if r.ups2 == nil {
		return []*supply{r.supply}
	}
	return []*supply{r.supply, r.ups2}
}

// load is what hangs on a UPS's outlets, for as long as the test lasts.
func (r *rack) load(s *supply) {
	for last := time.Duration(-1); ; {
		e, err := s.tty.WaitEvent(r.t.Context(), func(e vtty.Event) bool {
			return e.At > last && (e.Kind == vtty.LoadOff || e.Kind == vtty.LoadOn)
		})
		if err != nil {
			return
		}
		last = e.At
		if e.Kind == vtty.LoadOn {
			r.note(s.name, outputOn)
		} else {
			r.note(s.name, outputOff)
		}
		r.feed(s, e.Kind == vtty.LoadOn)
	}
}

// feed gives a UPS's outlets power, or takes it.
func (r *rack) feed(s *supply, power bool) {
	r.plugs.Lock()
	defer r.plugs.Unlock()
	s.dead = !power
	for _, m := range r.all {
		if !slices.Contains(m.fed, s) {
			continue
		}
		on := slices.ContainsFunc(m.fed, func(s *supply) bool { return !s.dead })
		switch {
		case !on && m == s.host:
			m.checkAlone()
		case !on && m.on():
			r.t.Errorf("law 5: the load was cut while %s ran", m.name)
		}
		m.outlet(on)
	}
}

// late reports whether the late unit of the master's machine has begun.
func (s *supply) late() bool { return strings.Contains(s.host.said(), "lastwatt: ") }

// sealed is the path of the master's seal.
func (s *supply) sealed() string { return s.host.file(cut.Path(master.DefaultRun)) }
