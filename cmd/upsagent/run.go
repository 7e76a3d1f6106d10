package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/lastwatt/lastwatt/agent"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/virt"
)

type settings = config.Version[agent.Config]

// run is the daemon: configuration, collaborators, tasks, and all that anew at each
// SIGHUP.
func run(ctx context.Context, file string) error {
	daemon.OneProcessor(os.Getenv("GOMAXPROCS"))
	log := daemon.NewLogger(os.Stderr)
	boot, err := daemon.BootID()
	if err != nil {
		return err
	}
	files := config.Files[agent.Config]{
		Path: file, Bare: file == defaultFile, Read: agent.ReadConfig, Data: func(c agent.Config) string { return c.Data },
		Places: []string{os.Getenv("STATE_DIRECTORY"), agent.DefaultData}, Replace: journal.Replace, Log: log,
	}
	clock, place := daemon.NewClock(), virt.Detect("/")
	mayGo := func(c agent.Config) error {
		return place.CanGo(c.Settings.Methods, shutdown.MethodCommand, shutdown.MethodNone)
	}
	var last atomic.Pointer[agent.Agent]
	return daemon.RunGenerations(ctx, log, daemon.Reload[settings]{
		Start: func() (s settings, trouble, err error) {
			if s, trouble, err = files.Start(); errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; name another with --config, or none for %s, which need not exist", err, defaultFile)
			}
			return s, trouble, err
		},
		Same: settings.Same, Good: files.Keep,
		Load: func() (settings, error) {
			s, err := files.Load()
			if err == nil {
				err = errors.Join(mayGo(s.Config), last.Load().Accepts(s.Config))
			}
			return s, err
		},
		Lock: func(s settings) string { return filepath.Join(s.Config.Run, "upsagent.lock") },
		Build: func(s settings) (g daemon.Generation, err error) {
			if err := mayGo(s.Config); err != nil {
				return g, err
			}
			chain, err := s.Config.Settings.Chain()
			if err != nil {
				return g, err
			}
			a, err := agent.New(agent.Options{
				Config: s.Config, Version: version, Boot: boot, Virtualization: place.Name, Chain: chain, Wall: node.Wall, Before: last.Load(), Now: clock.Now, Log: log,
			})
			if err != nil {
				return g, err
			}
			last.Store(a)
			return daemon.Generation{Tasks: append(a.Tasks(), clock.Watch(a.Resumed)), Idle: a.Idle, NotAdopted: a.NotAdopted}, nil
		},
	})
}
