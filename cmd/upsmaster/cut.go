package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// cutCmd is the late unit.
func cutCmd(file *string, begun *bool) *cobra.Command {
	var late string
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "cut [--config FILE]",
		Short: "Cut the load, as the last act of a power-off (the late unit)",
		Long: `Run by lastwatt-cut.service when everything else has ended, never by hand. If the
master left a seal, it waits until every machine that lives on the UPS is off and
cuts the load by the cable. If the mains are back before, it reboots this machine
in place of the halt. Without a seal, or with one that is not for here and now, it
does nothing; nor does it when the system is not on its way to a power-off.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			*begun = true
			return runCut(c.Context(), *file, late, within)
		},
	}
	f := cmd.Flags()
	f.StringVar(&late, "late", "", "what the system is going to: poweroff, halt, or `WHAT` else (default: what systemd says)")
	f.DurationVar(&within, "within", 0, "give up after this `TIME` (default: never)")
	return cmd
}

func runCut(ctx context.Context, file, late string, within time.Duration) error {
	// Whoever ends this ends what was begun too: no line stays asserted.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	say, done := cut.Console()
	defer done()
	cfg, err := master.LoadConfig(file)
	wired := master.Wired(cfg)
	if err != nil {
		// The seal stands on its own: what breaks disarms nothing.
		cfg.Run, cfg.Data, wired = master.DefaultRun, master.DefaultData, nil
	}
	seal, err := cut.Load(nil, cut.Path(cfg.Run))
	if errors.Is(err, cut.ErrNone) {
		return nil
	}
	if to, why := going(ctx, late); !cut.Final(to) {
		if why == nil && to == "" {
			why = errors.New("the system is not on its way down")
		}
		if why != nil {
			say(fmt.Sprintf("nothing is cut: %v", why))
		}
		return why
	}
	boot, bootErr := daemon.BootID()
	clock := daemon.NewClock()
	if err = errors.Join(err, bootErr); err == nil {
		err = seal.Check(cut.Here{Boot: boot, Now: clock.Now(), UPS: wired})
	}
	if err != nil {
		say(fmt.Sprintf("nothing is cut: %v", err))
		cut.Refuse(nil, cfg.Data, err)
		return err
	}
	err = cut.Run(ctx, cut.Options{Seal: seal, Within: within, Now: clock.Now, Say: say})
	if err == nil {
		_ = cut.Remove(nil, cut.Path(cfg.Run)) // the second try has nothing left to do
	} else {
		say(err.Error())
	}
	return err
}

// askLimit bounds the question to systemd, which has little else to do by then.
const askLimit = 10 * time.Second

// going returns what the system is going to.
func going(ctx context.Context, late string) (string, error) {
	if late != "" {
		return late, nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return "", errors.New("nobody says what the system is going to; write --late poweroff where it powers off")
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	for _, dir := range []string{"/usr/bin", "/bin"} {
		path := filepath.Join(dir, "systemctl")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		jobs, err := shutdown.Exec(ctx, shutdown.Cmd{Argv: []string{path, "list-jobs", "--no-legend", "--no-pager", "--plain", "--full"}})
		if err != nil {
			return "", fmt.Errorf("cannot ask systemd what it is going to: %w", err)
		}
		return cut.Going(jobs), nil
	}
	return "", errors.New("cannot ask systemd what it is going to: there is no systemctl")
}
