package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
)

// fileMode lets root's group read: alarms may carry secrets.
const fileMode = 0o640

// existing is the file that stands there already.
type existing struct {
	path   string // where links lead to
	text   []byte // nil: there is none
	config *master.Config
	keep   string // the name it would be kept under
}

// look reads what stands at path, and finds out now whether it could be written.
func look(path string) (existing, error) {
	e := existing{path: path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		e.path = real
	}
	text, err := os.ReadFile(e.path)
	switch {
	case err == nil:
		e.text = append([]byte{}, text...)
	case !errors.Is(err, fs.ErrNotExist):
		return e, fmt.Errorf("cannot read %s: %w; run as root, or name another file with --config", path, cause(err))
	}
	dir := filepath.Dir(e.path)
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return e, fmt.Errorf("cannot write in %s: %w; run as root, or name another file with --config", dir, err)
	}
	if e.text == nil {
		return e, nil
	}
	if c, err := master.ParseConfig(path, e.text); err == nil {
		e.config = &c
	}
	e.keep = e.path + ".old"
	for n := 2; ; n++ {
		if _, err := os.Lstat(e.keep); errors.Is(err, fs.ErrNotExist) {
			return e, nil
		}
		e.keep = fmt.Sprintf("%s.old%d", e.path, n)
	}
}

// blank reports whether the file is one that was never filled in, as the package
// brings it: nothing is lost with it.
func (e existing) blank() bool {
	return e.config != nil && e.left() == "" && len(e.config.UPS) == 1 && e.config.UPS[0].Port == ""
}

// left names what of the old file does not come into the new one.
func (e existing) left() string {
	if e.config == nil {
		return "everything, because it can't be read without errors"
	}
	var left []string
	add := func(yes bool, what string) {
		if yes {
			left = append(left, what)
		}
	}
	c := e.config
	def := defaults()
	add(len(c.UPS) > 1, fmt.Sprintf("%d more UPSes", len(c.UPS)-1))
	add(c.UPS[0].Settle != def.UPS[0].Settle || c.UPS[0].BatLowJump != def.UPS[0].BatLowJump, "[ups.settle]")
	add(c.Recover != def.Recover, "[recover]")
	add(c.Metrics != def.Metrics, "[metrics]")
	hooks, alarms := len(c.Hooks), len(c.Alarms)
	if c.Node != nil { // its hooks have those at the top already
		hooks, alarms = len(c.Node.Settings.Hooks), alarms+len(c.Node.Alarms)
	}
	add(hooks > 0, "hooks")
	add(alarms > 0, "alarms")
	add(c.Node != nil && !plain(*c.Node), "the rest of [node]")
	return strings.Join(left, ", ")
}

// plain reports whether a host says nothing that setup doesn't ask for.
func plain(h master.Host) bool {
	c, err := master.ParseConfig("default", []byte("name = \"rack1\"\n[[ups]]\nname = \"main\"\nport = \"sim\"\n[node]\n"))
	if err != nil || c.Node == nil {
		return false
	}
	is, def := h.Settings, c.Node.Settings
	is.Grace, is.GraceBatLow, is.WaitFor, is.Hooks = def.Grace, def.GraceBatLow, def.WaitFor, def.Hooks
	return h.Role == "" && reflect.DeepEqual(is, def)
}

// defaults is a configuration that says nothing that it needn't.
func defaults() master.Config {
	c, err := master.ParseConfig("default", []byte("name = \"rack1\"\n[[ups]]\nname = \"main\"\nport = \"sim\"\n"))
	if err != nil {
		panic("setup: " + err.Error()) // held by every test
	}
	return c
}

// plan is what is going to be written.
type plan struct {
	name, ups, port string
	listen          string
	runtime, grace  string
	cable           line.Cable
	inline          bool           // the cable is written out, not named
	base            *master.Config // whose folders and addresses stay; nil: the defaults
}

// newPlan takes over what an older file said.
func newPlan(old *master.Config) plan {
	p := plan{ups: "main", runtime: unknown, grace: "10m", base: old}
	if old == nil {
		return p
	}
	p.name = old.Name
	p.ups = old.UPS[0].Name
	if r := old.UPS[0].Battery.Runtime; r > 0 {
		p.runtime = config.FormatDuration(r)
	}
	if old.Node != nil {
		p.grace = config.FormatDuration(old.Node.Settings.Grace)
		if old.Node.Settings.GraceBatLow {
			p.grace = "batlow"
		}
	}
	return p
}

// socket is where the master will answer, or answers now.
func (p plan) socket() string {
	if p.base != nil {
		return p.base.Socket
	}
	return defaults().Socket
}

// hasLow reports whether the UPS can say that its battery is low.
func (p plan) hasLow() bool { return p.sim() || p.cable.HasLow() }

// text is the file.
func (p plan) text() string {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("# Written by upsmaster setup. Every key that could stand here, with its default:")
	put("# https://github.com/lastwatt/lastwatt/blob/main/deploy/master.toml")
	put("# After a change: upsctl check THIS-FILE")
	put("")
	put("name = %s", quote(p.name))
	p.putBase(put)
	put("")
	put("[[ups]]")
	put("name = %s", quote(p.ups))
	put("port = %s", quote(p.port))
	switch {
	case p.sim():
	case p.inline:
		put("cable = %s", inline(p.cable))
	default:
		put("cable = %s", quote(p.cable.Name))
	}
	if p.runtime != unknown {
		put("\n  [ups.battery]")
		put("  runtime = %s", quote(p.runtime))
	}
	put("\n# This machine: it goes last.")
	put("[node.policy]")
	put("grace = %s", quote(p.grace))
	put(`wait_for = ["*"]`)
	return b.String()
}

// putBase writes the folders and addresses that are not the defaults.
func (p plan) putBase(put func(string, ...any)) {
	def := defaults()
	base := def
	if p.base != nil {
		base = *p.base
	}
	if p.listen != "" {
		base.Listen = p.listen
	}
	for _, k := range []struct{ key, is, def string }{
		{"listen", base.Listen, def.Listen}, {"socket", base.Socket, def.Socket},
		{"data", base.Data, def.Data}, {"run", base.Run, def.Run},
	} {
		if k.is != k.def {
			put("%s = %s", k.key, quote(k.is))
		}
	}
	if base.Discovery.MDNS != def.Discovery.MDNS || len(base.Discovery.Interfaces) > 0 {
		put("\n[discovery]")
		put("mdns = %v", base.Discovery.MDNS)
		put("interfaces = %s", quoteAll(base.Discovery.Interfaces))
	}
}

// quote writes a TOML string: JSON's escapes are all TOML's too.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can't fail
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

func quoteAll(all []string) string {
	quoted := make([]string, 0, len(all))
	for _, s := range all {
		quoted = append(quoted, quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// inline writes a cable as an inline table. It has no kill: nobody finds one out by
// watching, and a wrong one would cut the load.
func inline(c line.Cable) string {
	var parts []string
	for _, t := range []struct {
		key  string
		term line.Term
	}{{"on_battery", c.OnBattery}, {"low_battery", c.LowBattery}, {"present", c.Present}, {"replace", c.Replace}, {"bypass", c.Bypass}} {
		if t.term.Wired() {
			parts = append(parts, t.key+" = "+quote(t.term.String()))
		}
	}
	var drive []string
	for _, t := range c.Drive {
		drive = append(drive, t.String())
	}
	return "{ " + strings.Join(append(parts, "drive = "+quoteAll(drive)), ", ") + " }"
}

// save puts text in place of the existing file at once and whole, after a second name
// for the old one was made. It leaves nothing behind when it fails.
func (e existing) save(text string) (err error) {
	dir := filepath.Dir(e.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cannotWrite(e.path, err)
	}
	f, err := os.CreateTemp(dir, ".master.toml-*")
	if err != nil {
		return cannotWrite(e.path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone when all went well
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Chmod(fileMode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return cannotWrite(e.path, err)
	}
	if e.text != nil {
		if err := os.Link(e.path, e.keep); err != nil {
			return fmt.Errorf("cannot keep the old file as %s: %w; nothing was changed", e.keep, cause(err))
		}
	}
	if err := os.Rename(f.Name(), e.path); err != nil {
		if e.text != nil {
			_ = os.Remove(e.keep)
		}
		return cannotWrite(e.path, err)
	}
	if d, err := os.Open(dir); err == nil { // a name that is lost in a power cut is written again
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

func cannotWrite(path string, err error) error {
	return fmt.Errorf("cannot write %s: %w; nothing was changed", path, cause(err))
}

// cause leaves out the names of temporary files.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// changedSince reports whether somebody else wrote the file meanwhile.
func (e existing) changedSince() bool {
	text, err := os.ReadFile(e.path)
	return err == nil && string(text) != string(e.text) || err != nil && e.text != nil
}
