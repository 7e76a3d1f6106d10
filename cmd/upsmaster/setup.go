package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lastwatt/lastwatt/master/setup"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// setupCmd is the dialogue that writes the configuration. begun is set when the
// command line was good.
func setupCmd(file *string, begun *bool) *cobra.Command {
	var a setup.Answers
	cmd := &cobra.Command{
		Use:   "setup [--config FILE] [--port PATH|sim] [--cable NAME] [--yes]",
		Short: "Find out the port and the cable, write the configuration, start the service",
		Long: `Asks which port, finds out which cable by what its lines do while you pull the
UPS's plug, writes the configuration, starts the service and prints the token by
which the next machine joins.

Every question has a flag; with --port, --cable and --yes nothing is asked and no
port is opened. Nothing is opened, driven or written before you agreed to it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			*begun = true
			a.Config = *file
			return runSetup(c.Context(), a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Port, "port", "", "the serial port's `PATH`, or sim")
	f.StringVar(&a.Cable, "cable", "", "the cable's `NAME`, as upsctl cables lists it")
	f.StringVar(&a.Name, "name", "", "the rack's `NAME`")
	f.StringVar(&a.UPS, "ups", "", "the UPS's `NAME` (default main)")
	f.StringVar(&a.Runtime, "runtime", "", "how `LONG` a full battery lasts, or unknown")
	f.StringVar(&a.Grace, "grace", "", "how `LONG` this machine stays on battery, or batlow")
	f.StringVar(&a.Listen, "listen", "", "`HOST:PORT` where agents connect (default :8493)")
	f.BoolVar(&a.Yes, "yes", false, "take every default and write the file")
	f.BoolVar(&a.YesOpen, "yes-open", false, "the port may be opened, which pulses DTR and RTS")
	f.BoolVar(&a.Replace, "replace", false, "a configuration that is there already may be replaced; it is kept")
	f.BoolVar(&a.NoService, "no-service", false, "leave the service alone")
	return cmd
}

func runSetup(ctx context.Context, a setup.Answers) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	return setup.Run(ctx, setup.Options{
		Answers: a, In: os.Stdin, Out: os.Stdout, Terminal: term.IsTerminal(int(os.Stdin.Fd())), Host: config.HostName(),
		Ports:    func() ([]line.PortInfo, error) { return line.Ports(line.Roots{}) },
		Port:     func(path string) (line.PortInfo, error) { return line.Port(line.Roots{}, path) },
		Meddlers: func() []line.HeldError { return line.Meddlers(line.Roots{}) },
		Probe:    func(o line.ProbeOptions) setup.Prober { return line.NewProbe(o) },
		Systemd:  err == nil,
		Run: func(ctx context.Context, argv ...string) (string, error) {
			return shutdown.Exec(ctx, shutdown.Cmd{Argv: argv})
		},
		Master: setup.LocalMaster, Log: log,
	})
}
