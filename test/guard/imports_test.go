package guard

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our own packages a package may import, by folder. The
// first row that fits holds; arrows point inwards, to power.
var mayImport = []struct {
	from string
	to   []string
	why  string
}{
	{"pkg/power", nil, "power is the middle: it knows nobody"},
	{"pkg/health", []string{"pkg/power"}, "what can be wrong is one closed set that everybody may name; it knows the core's clock and nothing else"},
	{"pkg/policy", []string{"pkg/power", "pkg/health"}, "what a node does depends on what the power is, and on nothing that can fail"},
	{"pkg/node", []string{"pkg/power", "pkg/policy", "pkg/health", "pkg/shutdown", "pkg/config"}, "the Driver joins a Machine to a shutdown chain; it must not know where its states come from"},
	{"pkg/alarm", []string{"pkg/config", "pkg/journal"}, "it reads its own table and keeps what waits; what is worth an alarm is its caller's business, so it knows no state and no machine"},
	{"pkg", []string{"pkg/power"}, "adapters don't know one another: each hides one outside thing that changes on its own"},
	{"api/ups/v1", nil, "generated"},
	{"api", []string{"api/ups/v1", "pkg/power", "pkg/policy", "pkg/health", "pkg/trust"}, "the wire boundary turns domain into protobuf and back; it does no work of its own"},
	{"master/setup", []string{"api", "pkg", "master"}, "it checks what it writes by master's own reading and asks a running master by its socket; it never runs in the daemon"},
	{"master/history", []string{"pkg/journal", "pkg/power", "pkg/config"}, "stories are folded from the journal and from nothing else, so that a restarted master tells what the one before would have"},
	{"master/proof", []string{"pkg/power", "pkg/policy", "pkg/health", "pkg/shutdown"}, "what is proved depends on what was seen of the rack, and on nothing that can fail"},
	{"master", []string{"api", "pkg", "master"}, "master and agent never import each other: they meet on the wire only"},
	{"agent", []string{"api", "pkg", "agent"}, "master and agent never import each other: they meet on the wire only"},
	{"cmd", []string{"api", "master", "agent", "pkg"}, "a command is not a library, and no product depends on a test"},
	{"test", []string{"api", "master", "agent", "pkg", "cmd", "test"}, ""},
}

// mayHoldWire are the folders that may touch generated types.
var mayHoldWire = []string{"api", "master", "agent", "cmd/upsctl", "test"}

func TestImportsPointInwards(t *testing.T) {
	tr := theTree(t)
	for _, src := range tr.go_ {
		if src.test || src.generated {
			continue
		}
		for _, spec := range src.file.Imports {
			to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			if !ours {
				continue
			}
			if to == "api/ups/v1" && !under(src.dir, mayHoldWire...) {
				t.Errorf("%s: %s imports generated types: the wire can change without the core only while api alone translates, and a protobuf message is never stored", tr.at(spec), src.dir)
				continue
			}
			for _, row := range mayImport {
				if !under(src.dir, row.from) {
					continue
				}
				if !under(to, row.to...) {
					t.Errorf("%s: %s may not import %s: %s", tr.at(spec), src.dir, to, row.why)
				}
				break
			}
		}
	}
}

// TestEveryPackageHasARow keeps a new top-level folder from escaping the table.
func TestEveryPackageHasARow(t *testing.T) {
	for _, src := range theTree(t).go_ {
		if !slices.ContainsFunc(mayImport, func(r struct {
			from string
			to   []string
			why  string
		}) bool {
			return under(src.dir, r.from)
		}) {
			t.Errorf("%s: folder %s has no row in mayImport: say who it may know before it knows everybody", src.path, src.dir)
		}
	}
}

// outside are imports that only some folders may have. A pattern ending in "/" is
// the package and all below it.
var outside = []struct {
	pkg  string
	only []string
	why  string
}{
	{"google.golang.org/", []string{"api", "master", "agent", "cmd/upsctl", "test"}, "gRPC and protobuf stay at the edge"},
	{"github.com/spf13/cobra", []string{"cmd", "test/manual"}, "only commands read flags; man pages are written from their definitions"},
	{"flag", []string{"cmd", "test"}, "only commands read flags"},
	{"github.com/pelletier/go-toml/", []string{"pkg/config", "pkg/line"}, "one package knows the config file's syntax; line reads its own embedded catalogue"},
	{"github.com/godbus/dbus/", []string{"pkg/shutdown", "test"}, "one package speaks to logind"},
	{"go.bug.st/serial", []string{"pkg/line"}, "one package touches the port"},
	{"github.com/hashicorp/mdns", []string{"pkg/discovery"}, "one package speaks mDNS, and takes records from it, not its sockets (docs/adr/0013-own-mdns-transport.md)"},
	{"github.com/miekg/dns", []string{"pkg/discovery", "test/lan"}, "one package reads DNS packets"},
	{"net/http", []string{"pkg/alarm", "master", "test"}, "HTTP is for webhooks, and for the master's metrics; the rack speaks gRPC"},
	{"github.com/prometheus/", []string{"master"}, "one package has figures to tell (docs/adr/0017-metrics.md)"},
	{"net/smtp", []string{"pkg/alarm"}, "one package sends mail"},
	{"os/exec", []string{"pkg/shutdown", "pkg/node", "cmd/upsctl", "test"}, "law 9: nothing that talks to the network can start a program"},
	{"unsafe", []string{"pkg/line", "pkg/wake", "test/vtty"}, "only an ioctl without a wrapper needs it"},
	{"math/rand", nil, "use math/rand/v2, outside the core"},
	{"io/ioutil", nil, "deprecated"},
}

func TestOutsideImportsStayWhereTheyBelong(t *testing.T) {
	tr := theTree(t)
	for _, src := range tr.go_ {
		if src.test || src.generated {
			continue
		}
		for _, spec := range src.file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			for _, row := range outside {
				if matches(row.pkg, name) && !under(src.dir, row.only...) {
					t.Errorf("%s: %s may not import %s: %s", tr.at(spec), src.dir, name, row.why)
				}
			}
		}
	}
}

// matches reports whether an import is pattern, or below it if pattern ends in "/".
func matches(pattern, name string) bool {
	if p, ok := strings.CutSuffix(pattern, "/"); ok {
		return under(name, p)
	}
	return name == pattern
}

// The pure core: same inputs, same outputs. What it may not import, and which
// functions it may not call.
var (
	pure            = []string{"pkg/power", "pkg/policy", "pkg/health", "master/history", "master/proof"}
	impureImports   = []string{"context", "net/", "os/", "log/", "sync/", "math/rand/", "syscall", "runtime/", "io/", "github.com/", "golang.org/", "google.golang.org/", "go.bug.st/"}
	impureTimeCalls = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
)

const whyPure = "the core takes the moment as an argument and returns what to do: that is what lets a thousand outages be played in a second, and the same story twice (docs/ARCHITECTURE.md)"

func TestThePureCoreIsPure(t *testing.T) {
	tr := theTree(t)
	seen := 0
	for _, src := range tr.go_ {
		if src.test || !slices.Contains(pure, src.dir) {
			continue
		}
		seen++
		for _, spec := range src.file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if under(name, module) {
				continue // TestImportsPointInwards
			}
			for _, bad := range impureImports {
				if matches(bad, name) {
					t.Errorf("%s: %s may not import %s: %s", tr.at(spec), src.dir, name, whyPure)
				}
			}
		}
		calls(src.file, func(pkg, fn string, n ast.Node) {
			if pkg == "time" && slices.Contains(impureTimeCalls, fn) {
				t.Errorf("%s: time.%s in %s: %s", tr.at(n), fn, src.dir, whyPure)
			}
		})
		ast.Inspect(src.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a goroutine in %s: %s", tr.at(g), src.dir, whyPure)
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no file of pkg/power or pkg/policy was found: this guard guards nothing")
	}
}

// process are the uses of package os that belong to a command.
var process = []string{"Exit", "Getenv", "LookupEnv", "Environ", "Args", "Setenv", "Unsetenv"}

// processToo are the folders that may do so beside cmd.
var processToo = map[string]string{
	"pkg/daemon": "systemd hands over its sockets and descriptors in the environment",
	"pkg/node":   "hooks and wall messages inherit the environment",
	"test":       "a test program runs itself again as its own child",
}

func TestOnlyCommandsReadTheEnvironmentAndExit(t *testing.T) {
	tr := theTree(t)
	for _, src := range tr.go_ {
		if src.test || under(src.dir, "cmd") {
			continue
		}
		excused := false
		for dir := range processToo {
			excused = excused || under(src.dir, dir)
		}
		if excused {
			continue
		}
		calls(src.file, func(pkg, fn string, n ast.Node) {
			if pkg == "os" && slices.Contains(process, fn) || pkg == "log" && strings.HasPrefix(fn, "Fatal") {
				t.Errorf("%s: %s.%s in %s: only cmd reads flags and the environment and exits, so that everything else can be run twice in one test", tr.at(n), pkg, fn, src.dir)
			}
		})
	}
}

// TestTestsDontSleep: a test that sleeps is slow when all is well and red when the
// machine is busy. In a testing/synctest bubble sleeping costs nothing and is exact.
func TestTestsDontSleep(t *testing.T) {
	tr := theTree(t)
	for _, src := range tr.go_ {
		if !src.test || imports(src.file, "testing/synctest") {
			continue
		}
		calls(src.file, func(pkg, fn string, n ast.Node) {
			if pkg == "time" && fn == "Sleep" {
				t.Errorf("%s: time.Sleep in a test: wait for the thing itself, or use testing/synctest", tr.at(n))
			}
		})
	}
}

// calls finds each mention of a function of an imported package: pkg.Fn, called
// or passed on.
func calls(f *ast.File, found func(pkg, fn string, n ast.Node)) {
	names := map[string]string{}
	for _, spec := range f.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path.Base(p)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			// A local variable that hides the package has an Obj.
			if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && names[id.Name] != "" {
				found(names[id.Name], sel.Sel.Name, sel)
			}
		}
		return true
	})
}

func imports(f *ast.File, name string) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool {
		return strings.Trim(s.Path.Value, `"`) == name
	})
}
