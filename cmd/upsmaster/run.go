package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/virt"
)

type settings = config.Version[master.Config]

// run is the daemon: configuration, collaborators, tasks, and all that anew at each
// SIGHUP.
func run(ctx context.Context, file string) error {
	daemon.OneProcessor(os.Getenv("GOMAXPROCS"))
	log := daemon.NewLogger(os.Stderr)
	boot, err := daemon.BootID()
	if err != nil {
		return err
	}
	files := config.Files[master.Config]{
		Path: file, Read: master.ReadConfig, Data: func(c master.Config) string { return c.Data },
		Places: []string{os.Getenv("STATE_DIRECTORY"), master.DefaultData}, Replace: journal.Replace, Log: log,
	}
	clock, stored := daemon.NewClock(), daemon.StoredFDs()
	var last atomic.Pointer[master.Master]
	return daemon.RunGenerations(ctx, log, daemon.Reload[settings]{
		Start: func() (s settings, trouble, err error) {
			if s, trouble, err = files.Start(); errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; write one by upsmaster setup, or name yours with --config", err)
			}
			return s, trouble, err
		},
		Same: settings.Same, Good: files.Keep,
		Load: func() (settings, error) {
			s, err := files.Load()
			if err == nil {
				err = last.Load().Accepts(s.Config)
			}
			return s, err
		},
		Lock: func(s settings) string { return filepath.Join(s.Config.Run, "upsmaster.lock") },
		Build: func(s settings) (g daemon.Generation, err error) {
			var chain []shutdown.Executor
			if s.Config.Node != nil {
				if chain, err = s.Config.Node.Settings.Chain(); err != nil {
					return g, err
				}
			}
			m, err := master.New(master.Options{
				Config: s.Config, Version: version, Boot: boot, Virtualization: virt.Detect("/").Name, Chain: chain, Wall: node.Wall, Before: last.Load(),
				Stored: stored, Store: daemon.StoreFD, Drop: daemon.DropFD, Late: func() error { return cut.Ready("/") }, Now: clock.Now, Log: log,
			})
			if err != nil {
				return g, err
			}
			last.Store(m)
			stored = nil
			return daemon.Generation{Tasks: append(m.Tasks(), clock.Watch(m.Resumed)), Idle: m.Idle, NotAdopted: m.NotAdopted}, nil
		},
	})
}
