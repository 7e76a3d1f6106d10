//go:build linux && (amd64 || arm64)

package rack

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

var counter atomic.Int32 // of racks: names of bridges, folders, control groups

// rack is one or more UPSes and machines on them.
type rack struct {
	*supply // the first
	all     []*machine
	t       testing.TB
	dir     string
	bridge  string
	ups2    *supply // nil: there is one
	nodes   []*machine
	started time.Time
	plugs   sync.Mutex
	mu      sync.Mutex
	story   []event
	news    chan struct{} // closed at the next event
}

// event is one thing that happened in the rack.
type event struct {
	at   time.Duration
	who  string // a machine or a UPS
	what string
}

func (e event) String() string { return e.who + " " + e.what }

// config says what rack.
type config struct {
	cable   string   // as a TOML table, with a kill if it has one
	more    string   // of master.toml
	second  *string  // of the second master's; nil: there is none
	minutes int      // that the test takes, about; the longest come first
	nodes   []string // "NAME: lines of agent.toml", "NAME@PLUGS: …" for those on the second UPS ("2") or on both ("12")
}

// plain is a cable without a kill.
const plain = `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR"] }`

// newRack boots a rack on mains and makes its nodes join.
func newRack(t testing.TB, c config) *rack {
	t.Helper()
	machines := 1 + len(c.nodes)
	if c.second != nil {
		machines++
	}
	seats.sit(t, machines, c.minutes)
	n := counter.Add(1)
	r := &rack{t: t, dir: layer(fmt.Sprint("r", n)), bridge: fmt.Sprint("br", n), started: time.Now(), news: make(chan struct{})}
	ttys := []*vtty.TTY{vtty.New(t), vtty.New(t)} // they end after what has them open
	ip(t, "link add "+r.bridge+" type bridge", "link set "+r.bridge+" up")
	t.Cleanup(r.close)
	r.supply = r.newSupply(ttys[0], "ups", host, 1, c.cable, c.more)
	if c.second != nil {
		r.ups2 = r.newSupply(ttys[1], "ups2", "rack2", 2, c.cable, *c.second)
	}
	for i, text := range c.nodes {
		r.newNode(i+3, text)
	}
	for _, s := range r.supplies() {
		go r.load(s)
	}
	for _, m := range r.all {
		m.outlet(true)
	}
	for _, s := range r.supplies() {
		s.await("the master to see the UPS", func(st status) bool { return st.ups().State == "OK" })
	}
	for _, m := range r.nodes {
		r.join(m)
	}
	r.fine()
	for _, m := range r.all {
		m.learnCard()
	}
	hear(t, r.bridge, r.wake)
	return r
}

// newNode makes a machine with an agent, as config says it.
func (r *rack) newNode(number int, text string) {
	r.t.Helper()
	name, lines, _ := strings.Cut(text, ":")
	name, plugs, _ := strings.Cut(name, "@")
	m := r.machine(name, number, "agent")
	m.fed = []*supply{r.supply}
	switch plugs {
	case "2":
		m.fed = []*supply{r.ups2}
	case "12":
		m.fed = append(m.fed, r.ups2)
	}
	var masters []string
	for _, s := range m.fed {
		masters = append(masters, strconv.Quote(s.address))
	}
	m.write("/etc/lastwatt/agent.toml", fmt.Sprintf(agentTOML, strings.Join(masters, ", "), lines))
	r.enable(m, "upsagent.service")
	r.nodes = append(r.nodes, m)
}

// masterTOML has times that a test can wait for.
const masterTOML = `listen = ":8493"
%s
[discovery]
mdns = false
[[ups]]
name = "main"
port = %q
cable = %s
[ups.settle]
ok = "300ms"
`

const agentTOML = `masters = [%s]
[discovery]
mdns = false
%s`

var bareKey = regexp.MustCompile(`([a-z_]+) =`)

func parseCable(t testing.TB, text string) line.Cable {
	t.Helper()
	// The table's strings and arrays are JSON's; its keys are bare.
	var c line.Cable
	if err := json.Unmarshal([]byte(bareKey.ReplaceAllString(text, `"$1":`)), &c); err != nil {
		t.Fatalf("cable %s: %v", text, err)
	}
	return c
}

// machine makes a machine of the rack, with a network card at the bridge and an address.
func (r *rack) machine(name string, number int, kind string, args ...string) *machine {
	r.t.Helper()
	dir := filepath.Join(r.dir, name)
	root, err := newDisk(dir, kind)
	if err != nil {
		r.t.Fatal(err)
	}
	full := filepath.Base(r.dir) + "-" + name
	m := &machine{t: r.t, name: full, root: root, console: filepath.Join(dir, "console"),
		groups: filepath.Join("/sys/fs/cgroup", filepath.Base(os.Getenv(groupVariable)), full),
		args:   append([]string{"--network-bridge=" + r.bridge}, args...),
		tell:   func(what string) { r.note(name, what) }}
	if err := os.MkdirAll(m.groups, 0o755); err != nil {
		r.t.Fatal(err)
	}
	m.write("/etc/systemd/network/10-host0.network", fmt.Sprintf("[Match]\nName=host0\n[Network]\nAddress=10.77.0.%d/24\n", number))
	m.write("/etc/hostname", name+"\n")
	m.write("/etc/machine-id", "") // one of its own, at its first boot
	// All that is said there can be read here, to the last moment.
	m.write("/etc/systemd/journald.conf.d/console.conf", "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n")
	r.enable(m, "systemd-networkd.service")
	m.mask("console-getty.service")
	r.all = append(r.all, m)
	return m
}

func (r *rack) enable(m *machine, units ...string) {
	r.t.Helper()
	if err := enable(m.root, units...); err != nil {
		r.t.Fatal(err)
	}
}

// join makes a machine's agent join the masters of its UPSes.
func (r *rack) join(m *machine) {
	r.t.Helper()
	for _, s := range m.fed {
		token := strings.TrimSpace(s.upsctl("token", "create"))
		until(r.t, m.name+" to join", func() bool { // when its agent and its network are there
			_, err := m.do("upsagent", "join", token)
			return err == nil
		})
	}
}

// node returns a machine by its name.
func (r *rack) node(name string) *machine {
	return r.nodes[slices.IndexFunc(r.nodes, func(m *machine) bool { return m.short() == name })]
}

// close takes the rack away, and tells its story if the test failed.
func (r *rack) close() {
	if r.t.Failed() {
		r.t.Logf("the story:\n%s", r.tale())
		for _, m := range r.all {
			r.t.Logf("what %s said:\n%s", m.name, m.tale())
		}
	}
	for _, m := range r.all {
		m.scrap()
		if err := unix.Unmount(m.root, unix.MNT_DETACH); err != nil {
			r.t.Errorf("cannot take the disk of %s away: %v", m.name, err)
		}
	}
	ip(r.t, "link del "+r.bridge)
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Error(err)
	}
}

// wake is a magic packet for somebody. Who is on, or has no power, hears nothing.
func (r *rack) wake(mac net.HardwareAddr) {
	for _, m := range r.all {
		if mac.String() == m.card {
			m.press()
		}
	}
}

// note adds to the story.
func (r *rack) note(who, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, event{time.Since(r.started), who, what})
	close(r.news)
	r.news = make(chan struct{})
}

// since returns what has happened after the first n events.
func (r *rack) since(n int) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.story[n:])
}

func (r *rack) tale() string {
	var b strings.Builder
	for _, e := range r.since(0) {
		fmt.Fprintf(&b, "%8.3fs %s\n", e.at.Seconds(), e)
	}
	return b.String()
}

// follow waits until these have happened after the first n events, in this order, and
// returns how many there were by then. Nothing else may have happened in between; what
// stands in one string, with " | " between, may come in any order.
func (r *rack) follow(n int, limit time.Duration, want ...string) int {
	r.t.Helper()
	deadline := time.After(limit)
	for _, w := range want {
		left := strings.Split(w, " | ")
		for len(left) > 0 {
			r.mu.Lock()
			fresh, news := r.story[n:], r.news
			r.mu.Unlock()
			if len(fresh) == 0 {
				select {
				case <-news:
				case <-deadline:
					r.t.Fatalf("waited %v in vain for %q", limit, left)
				}
				continue
			}
			n++
			i := slices.Index(left, fresh[0].String())
			if i < 0 {
				r.t.Fatalf("%s, wanted %q", fresh[0], left)
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	return n
}

// quiet holds that nothing has happened after the first n events.
func (r *rack) quiet(n int) {
	r.t.Helper()
	if got := r.since(n); len(got) > 0 {
		r.t.Errorf("it happened: %v", got)
	}
}
