package main

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/node"
)

// place is what the daemon of a file would meet here.
type place struct {
	roots line.Roots
	// uid is whom the daemon is taken to run as: the file's owner. What only that user
	// can know is looked at only by that user.
	uid int
	me  bool
	// runs: the daemon runs by this file, so what it holds is its own.
	runs bool
}

// onThisMachine warns of what would not work here. It opens no port and runs nothing.
func (c *cli) onThisMachine(f *checked) {
	p := place{roots: c.roots, uid: os.Geteuid()}
	if st, err := os.Stat(f.File); err == nil {
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			p.uid = int(s.Uid)
		}
	}
	p.me = p.uid == os.Geteuid()
	t := f.doc.Root()
	var socket, data, run, listen, metrics string
	if cfg := f.master; cfg != nil {
		socket, data, run, listen, metrics = cfg.Socket, cfg.Data, cfg.Run, cfg.Listen, cfg.Metrics.Listen
		p.runs = listens(socket)
		for i, u := range cfg.UPS {
			p.ups(t.Tables("ups")[i], u)
		}
		if cfg.Node != nil {
			p.programs(t.Table("node"))
		}
	} else {
		socket, data, run, listen = f.agent.Socket, f.agent.Data, f.agent.Run, f.agent.Listen
		p.runs = listens(socket)
	}
	p.programs(t)
	p.folder(t, "data", data)
	p.folder(t, "run", run)
	p.folder(t, "socket", filepath.Dir(socket))
	if st, err := os.Lstat(socket); err == nil && st.Mode()&fs.ModeSocket == 0 {
		t.Warn("socket", -1, "%s is there and is no socket; remove it", socket)
	}
	p.listen(t, listen)
	if metrics != "" {
		p.listen(t.Table("metrics"), metrics)
	}
}

// listens reports whether a daemon listens at a socket.
func listens(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// ups looks at a UPS's port, without opening it: that would pulse its lines.
func (p place) ups(t *config.Table, u master.UPS) {
	switch {
	case u.Port == "":
		t.Warn("port", -1, "empty, so nobody watches this UPS; `upsmaster setup` finds it")
		return
	case u.Port == master.SimPort:
		t.Warn("port", -1, `"sim" is a pretended UPS: no power failure is seen; write a tty's path`)
		return
	}
	if u.BatLowJump == 0 && u.Cable.PulledReadsLow() {
		t.Table("settle").Warn("batlow_jump", -1, `while this cable is pulled out it reads as "on battery and low", which puts machines down at once; write a time, such as "10s"`)
	}
	info, err := line.Port(p.roots, u.Port)
	switch {
	case err != nil:
		t.Warn("port", -1, "%v", err)
		return
	case p.me && info.Denied != nil:
		t.Warn("port", -1, "%v", info.Denied)
	case info.Console:
		t.Warn("port", -1, "%v", info.Trouble())
	}
	for _, h := range info.Holders {
		if !p.runs {
			t.Warn("port", -1, "%v; stop that, or keep it off this port", &h)
		}
	}
}

// programs looks at the programs of hooks, alarms and the power-off.
func (p place) programs(t *config.Table) {
	for _, h := range t.Tables("hook") {
		if run := h.Strings("run"); len(run) > 0 {
			p.program(h, "run", run[0])
		}
	}
	for _, a := range t.Tables("alarm") {
		if u, err := url.Parse(a.String("to", "")); err == nil && u.Scheme == "exec" {
			p.program(a, "to", u.Path)
		}
		file := a.String("secret_file", "")
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil && !errors.Is(err, fs.ErrPermission) {
			a.Warn("secret_file", -1, "%v", err)
		}
	}
	if argv := t.Table("shutdown").Strings("command"); len(argv) > 0 {
		if st, err := os.Stat(argv[0]); err != nil && !errors.Is(err, fs.ErrPermission) {
			t.Table("shutdown").Warn("command", 0, "it is not there: %v", err)
		} else if err == nil && (!st.Mode().IsRegular() || st.Mode()&0o111 == 0) {
			t.Table("shutdown").Warn("command", 0, "%s is not a program; write a file that may be executed", argv[0])
		}
	}
}

func (p place) program(t *config.Table, key, path string) {
	if err := (node.Hook{Run: []string{path}}).Vet(p.uid); err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Warn(key, -1, "%v", err)
	}
}

// folder looks whether a folder is there and may be written to, or made.
func (p place) folder(t *config.Table, key, path string) {
	st, err := os.Stat(path)
	for ; errors.Is(err, fs.ErrNotExist) && path != "/"; st, err = os.Stat(path) {
		path = filepath.Dir(path) // the daemon makes what is missing
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
	case err != nil:
		t.Warn(key, -1, "%v", err)
	case !st.IsDir():
		t.Warn(key, -1, "%s is not a folder; write a path in one, or remove it", path)
	case p.me:
		if err := unix.Access(path, unix.W_OK|unix.X_OK); err != nil {
			t.Warn(key, -1, "cannot write to %s: %v", path, err)
		}
	}
}

// listen looks whether an address is free.
func (p place) listen(t *config.Table, address string) {
	if address == "" || p.runs {
		return
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close()
		return
	}
	if errors.Is(err, fs.ErrPermission) && !p.me {
		return
	}
	t.Warn("listen", -1, "cannot listen there now: %s", strings.TrimPrefix(err.Error(), "listen tcp "))
}
