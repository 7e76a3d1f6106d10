// Command upsmaster runs on the host that has the UPS's serial plug: it watches
// the lines and tells every machine of the rack.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// version is written by the linker (Makefile).
var version = "dev"

func main() {
	started := false // past the command line: what fails now is no usage error
	var file string
	start := func(c *cobra.Command, _ []string) error {
		started = true
		return run(c.Context(), file)
	}
	root := &cobra.Command{
		Use:     "upsmaster [run] [--config FILE]",
		Short:   "Watch a UPS's lines and tell every machine that lives on it",
		Version: version, Args: cobra.NoArgs, RunE: start,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&file, "config", "/etc/lastwatt/master.toml", "the configuration `FILE`")
	root.AddCommand(&cobra.Command{Use: "run", Short: root.Short, Args: cobra.NoArgs, RunE: start})
	err := root.ExecuteContext(context.Background())
	switch {
	case err == nil:
	case started:
		fmt.Fprintln(os.Stderr, "upsmaster:", err)
		os.Exit(1)
	default:
		fmt.Fprintf(os.Stderr, "upsmaster: %v\nTry: upsmaster --help\n", err)
		os.Exit(2)
	}
}

// run is the daemon: configuration, collaborators, tasks.
func run(ctx context.Context, file string) error {
	cfg, err := master.LoadConfig(file)
	if err != nil {
		return err
	}
	daemon.OneProcessor(os.Getenv("GOMAXPROCS"))
	log := daemon.NewLogger(os.Stderr)
	boot, err := daemon.BootID()
	if err != nil {
		return err
	}
	release, err := daemon.Single(filepath.Join(cfg.Run, "upsmaster.lock"), log)
	if err != nil {
		return err
	}
	defer release()
	var chain []shutdown.Executor
	if cfg.Node != nil {
		if chain, err = cfg.Node.Settings.Chain(); err != nil {
			return err
		}
	}
	clock := daemon.NewClock()
	m, err := master.New(master.Options{
		Config: cfg, Version: version, Boot: boot, Chain: chain, Wall: node.Wall,
		Stored: daemon.StoredFDs(), Store: daemon.StoreFD, Now: clock.Now, Log: log,
	})
	if err != nil {
		return err
	}
	return daemon.Run(ctx, log, append(m.Tasks(), clock.Watch(m.Resumed))...)
}
