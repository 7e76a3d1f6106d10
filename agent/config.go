package agent

import (
	"strings"

	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// Config is agent.toml, checked: there is nothing left to doubt.
type Config struct {
	Name   string // of this node
	Role   string // free text, "" for none; "role:NAME" in wait_for means it
	Listen string // NodeService over mTLS, "HOST:PORT"; "" turns it off
	Socket string // path of the local socket
	// Masters are "HOST:PORT" or "srv:DOMAIN"; empty: whoever is found.
	Masters   []string
	Data      string // folder that survives a boot
	Run       string // folder that doesn't
	Discovery Discovery
	Settings  node.Settings
	Alarms    []alarm.Target // who is told of this node
}

// Discovery says how this node finds masters and is found.
type Discovery struct {
	MDNS       bool
	Interfaces []string // empty: every multicast-capable one
}

// DefaultData is the folder that survives a boot, unless the file says.
const DefaultData = "/var/lib/lastwatt/agent"

// ReadConfig asks doc for every key of agent.toml. Its error names everything that is
// wrong.
func ReadConfig(doc *config.Doc) (Config, error) { return read(doc, config.HostName()) }

// LoadConfig reads agent.toml at path. Its error names everything that is wrong.
func LoadConfig(path string) (Config, error) {
	doc, err := config.Load(path)
	if err != nil {
		return Config{}, err
	}
	return ReadConfig(doc)
}

// ParseConfig reads the text of an agent.toml; file is its name in errors.
func ParseConfig(file string, data []byte) (Config, error) {
	doc, err := config.Parse(file, data)
	if err != nil {
		return Config{}, err
	}
	return ReadConfig(doc)
}

// read asks for every key of agent.toml.
func read(doc *config.Doc, host string) (Config, error) {
	t := doc.Root()
	c := Config{
		Name:    readName(t, host),
		Role:    readRole(t),
		Listen:  t.Listen("listen", ":8494", true),
		Socket:  t.SocketPath("socket", "/run/lastwatt/agent/agent.sock"),
		Masters: readMasters(t),
		Data:    t.AbsPath("data", DefaultData),
		Run:     t.AbsPath("run", "/run/lastwatt/agent"),
		Discovery: Discovery{
			MDNS:       t.Table("discovery").Bool("mdns", true),
			Interfaces: t.Table("discovery").Interfaces("interfaces"),
		},
		Settings: node.ParseSettings(t),
		Alarms:   alarm.Parse(t),
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
			t.Errorf("name", `missing, and this host's own name will not do (%v); write name = "web1"`, err)
		} else {
			t.Errorf("name", `%v; write one such as "web1"`, err)
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

// readMasters checks addresses; whether anybody is there is for the session.
func readMasters(t *config.Table) []string {
	masters, seen := t.Strings("masters"), map[string]bool{}
	for i, m := range masters {
		domain, isSRV := strings.CutPrefix(m, "srv:")
		err := config.CheckHostPort(m)
		switch {
		case isSRV && !config.IsDomain(domain):
			t.ErrorAt("masters", i, `%q names no domain; write "srv:example.org"`, m)
		case !isSRV && err != nil:
			t.ErrorAt("masters", i, `%v; write "rack1.example.org:8493" or "srv:example.org"`, err)
		case seen[m]:
			t.ErrorAt("masters", i, "%q is there twice; write it once", m)
		}
		seen[m] = true
	}
	return masters
}
