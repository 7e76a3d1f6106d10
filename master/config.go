package master

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// SimPort is the port of a UPS whose state an operator makes.
const SimPort = "sim"

// Config is master.toml, checked: there is nothing left to doubt.
type Config struct {
	Name      string // of this master and its rack
	Listen    string // gRPC over mTLS, "HOST:PORT"
	Socket    string // path of the local socket
	Data      string // folder that survives a boot
	Run       string // folder that doesn't
	Discovery Discovery
	UPS       []UPS // at least one
	Recover   Recover
	Node      *Host // nil: nobody shuts this host down
	Metrics   Metrics
	// Hooks are those at the top of the file. Where there is a Node its Settings have
	// them already, before its own.
	Hooks []node.Hook
	// Alarms are those at the top of the file: who is told of the whole rack.
	Alarms []alarm.Target
}

// Discovery says how agents find this master.
type Discovery struct {
	MDNS       bool
	Interfaces []string // empty: every multicast-capable one
}

// UPS is one [[ups]].
type UPS struct {
	Name  string
	Port  string     // path of a tty, SimPort, or "": nobody watches it
	Cable line.Cable // without a name where the port needs none and none was given
	// Settle is how long a state must last before it is believed.
	Settle struct{ Fail, BatLow, OK time.Duration }
	// BatLowJump is how old on-battery must be before low is believed on a cable
	// that reads as both when pulled out.
	BatLowJump time.Duration
	Battery    Battery
}

// Battery is what the owner knows of a UPS's battery.
type Battery struct {
	Runtime    time.Duration // at full charge; 0: unknown
	LowReserve time.Duration // from BATLOW to dead
	Recharge   time.Duration // from empty to full
}

// Recover says when machines that went down are started again.
type Recover struct {
	HoldOff   time.Duration // OK must have lasted
	MinCharge int           // percent, or until Limit
	Limit     time.Duration
	Stagger   time.Duration
}

// Host is the master's own host as a node of its rack.
type Host struct {
	Name     string // the master's own
	Role     string
	Settings node.Settings
	Alarms   []alarm.Target // below [node]: who is told of this machine only
}

// Metrics says where to ask for figures; Listen "" is nowhere.
type Metrics struct{ Listen string }

// Qualifier returns what the core needs to know to believe this UPS.
func (u UPS) Qualifier(boot string) power.QualifierConfig {
	c := power.QualifierConfig{
		BatLowJump:     u.BatLowJump,
		HasLow:         u.Port == SimPort || u.Cable.HasLow(), // an operator can say low
		PulledReadsLow: u.Port != SimPort && u.Cable.PulledReadsLow(),
		Name:           u.Name,
		Boot:           boot,
		Ledger:         power.LedgerConfig{Runtime: u.Battery.Runtime, LowReserve: u.Battery.LowReserve, Recharge: u.Battery.Recharge},
		Pretended:      u.Port == SimPort,
	}
	c.Settle.Fail, c.Settle.BatLow, c.Settle.OK = u.Settle.Fail, u.Settle.BatLow, u.Settle.OK
	return c
}

// DefaultData is the folder that survives a boot, unless the file says.
const DefaultData = "/var/lib/lastwatt/master"

// DefaultRun is the folder that no boot outlives, unless the file says.
const DefaultRun = "/run/lastwatt/master"

// ReadConfig asks doc for every key of master.toml. Its error names everything that is
// wrong.
func ReadConfig(doc *config.Doc) (Config, error) { return read(doc, config.HostName()) }

// LoadConfig reads master.toml at path. Its error names everything that is wrong.
func LoadConfig(path string) (Config, error) {
	doc, err := config.Load(path)
	if err != nil {
		return Config{}, err
	}
	return ReadConfig(doc)
}

// ParseConfig reads the text of a master.toml; file is its name in errors.
func ParseConfig(file string, data []byte) (Config, error) {
	doc, err := config.Parse(file, data)
	if err != nil {
		return Config{}, err
	}
	return ReadConfig(doc)
}

// read asks for every key of master.toml.
func read(doc *config.Doc, host string) (Config, error) {
	t := doc.Root()
	c := Config{
		Name:   readName(t, host),
		Listen: t.Listen("listen", ":8493", false),
		Socket: t.SocketPath("socket", "/run/lastwatt/master/master.sock"),
		Data:   t.AbsPath("data", DefaultData),
		Run:    t.AbsPath("run", DefaultRun),
		Discovery: Discovery{
			MDNS:       t.Table("discovery").Bool("mdns", true),
			Interfaces: t.Table("discovery").Interfaces("interfaces"),
		},
		UPS:     readAllUPS(t),
		Recover: readRecover(t.Table("recover")),
		Metrics: Metrics{Listen: t.Table("metrics").Listen("listen", "", true)},
	}
	if sameDoor(c.Listen, c.Metrics.Listen) {
		t.Table("metrics").Errorf("listen", "%q is where the rack is listened to; write another port", c.Metrics.Listen)
	}
	c.Hooks, c.Alarms = node.ParseRackHooks(t.Pick("hook")), alarm.Parse(t)
	// Asked for in any case, so that a key of [node] elsewhere is told where it belongs.
	own := t.Table("node")
	self := Host{Name: c.Name, Role: readRole(own), Settings: node.ParseSettings(own), Alarms: alarm.Parse(own)}
	if t.Has("node") {
		c.Node = &self
		c.Node.Settings.Hooks = slices.Concat(ofThisHost(c.Hooks), c.Node.Settings.Hooks)
	}
	if err := doc.Err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func readName(t *config.Table, host string) string {
	name := t.String("name", host)
	if err := trust.CheckName(name); err != nil && !t.Wrong("name") {
		if !t.Has("name") {
			t.Errorf("name", `missing, and this host's own name will not do (%v); write name = "rack1"`, err)
		} else {
			t.Errorf("name", `%v; write one such as "rack1"`, err)
		}
	}
	return name
}

func readRole(t *config.Table) string {
	role := t.String("role", "")
	if role != "" && trust.CheckName(role) != nil {
		t.Errorf("role", "%q is no role: %v; write one such as %q", role, trust.ErrBadName, "compute")
	}
	return role
}

func readRecover(t *config.Table) Recover {
	return Recover{
		HoldOff:   t.Duration("hold_off", time.Minute, 0, time.Hour),
		MinCharge: t.Int("min_charge", 30, 0, 100),
		Limit:     t.Duration("limit", 30*time.Minute, 0, 24*time.Hour),
		Stagger:   t.Duration("stagger", 5*time.Second, 0, 10*time.Minute),
	}
}

func readAllUPS(t *config.Table) []UPS {
	var all []UPS
	names, ports := map[string]bool{}, map[string]string{}
	tables := t.Tables("ups")
	for _, tab := range tables {
		u := readUPS(tab)
		if names[u.Name] && u.Name != "" {
			tab.Errorf("name", "another [[ups]] is called %q too; give each its own name", u.Name)
		}
		if first, taken := ports[u.Port]; taken && u.Port != "" && u.Port != SimPort {
			tab.Errorf("port", "%q is the port of ups %q already; one port watches one UPS", u.Port, first)
		} else {
			ports[u.Port] = u.Name
		}
		names[u.Name] = true
		all = append(all, u)
	}
	if len(tables) == 0 && !t.Wrong("ups") {
		t.Errorf("ups", "there is none; write [[ups]] with name, port and cable")
	}
	return all
}

func readUPS(t *config.Table) UPS {
	u := UPS{Name: t.String("name", ""), Port: readPort(t)}
	switch {
	case !t.Has("name"):
		t.Errorf("name", `missing; write name = "main"`)
	case !t.Wrong("name") && trust.CheckName(u.Name) != nil:
		t.Errorf("name", `%v; write one such as "main"`, trust.CheckName(u.Name))
	}
	u.Cable = readCable(t, u.Port)
	s, b := t.Table("settle"), t.Table("battery")
	u.Settle.Fail = s.Duration("fail", 100*time.Millisecond, 0, time.Minute)
	u.Settle.BatLow = s.Duration("batlow", 500*time.Millisecond, 0, time.Minute)
	u.Settle.OK = s.Duration("ok", 2*time.Second, 0, 10*time.Minute)
	u.BatLowJump = s.Duration("batlow_jump", 10*time.Second, 0, 10*time.Minute)
	u.Battery.Runtime, _ = b.DurationOr("runtime", "", 10*time.Second, 24*time.Hour, "")
	u.Battery.LowReserve = b.Duration("low_reserve", 2*time.Minute, 0, time.Hour)
	u.Battery.Recharge = b.Duration("recharge", 4*time.Hour, time.Minute, 7*24*time.Hour)
	return u
}

// readPort returns a tty's path, SimPort or "". Sources that exist in the design
// and not in this version are told from nonsense.
func readPort(t *config.Table) string {
	p := t.String("port", "")
	later := strings.HasPrefix(p, "nut:") || strings.HasPrefix(p, "tcp://")
	switch {
	case later:
		t.Errorf("port", `%q is not in this version; write a tty's path such as "/dev/ttyS0", or "sim"`, p)
		return ""
	case p == "" || p == SimPort:
		return p
	case config.CheckPath(p) != nil:
		t.Errorf("port", `%v; write a tty's full path such as "/dev/ttyS0", "sim", or "" for none`, config.CheckPath(p))
		return ""
	}
	return p
}

// wired reports whether a port is one that needs a cable to be understood.
func wired(port string) bool { return port != "" && port != SimPort }

// cableHint is how an owner finds the cable's name.
const cableHint = "`upsctl cables` lists them"

func readCable(t *config.Table, port string) line.Cable {
	if t.HasTable("cable") {
		return readInline(t.Table("cable"))
	}
	name := t.String("cable", "")
	switch c, ok := line.Lookup(name); {
	case ok:
		return c
	case t.Wrong("cable"):
	case name != "":
		t.Errorf("cable", "%q is not in the catalogue; %s", name, meant(name))
	case wired(port):
		t.Errorf("cable", "missing: nobody can say what the lines of %s mean; write the cable's name, %s", port, cableHint)
	}
	return line.Cable{}
}

// meant says what to write in place of a name that is not in the catalogue.
func meant(name string) string {
	var names []string
	for _, c := range line.Catalogue() {
		names = append(append(names, c.Name), c.Aliases...)
	}
	if near := config.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "write a cable's name, " + cableHint
}
