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

// runCut cuts what the seal says, and says so where somebody may see it.
func runCut(ctx context.Context, file, late string, within time.Duration) error {
	// Whoever ends this ends what was begun too: no line stays asserted.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	console, done := cut.Console()
	defer done()
	err := cutNow(ctx, file, late, cut.Options{Within: within, Now: daemon.NewClock().Now, Say: func(text string) {
		console(text)
		fmt.Fprintf(os.Stderr, "upsmaster: %s\n", text)
	}})
	if err != nil {
		console(err.Error())
	}
	return err
}

// diskLimit is how long a disk is waited for that may not be there any more.
const diskLimit = 10 * time.Second

// tryDisk leaves word, if the disk takes it.
func tryDisk(leave func()) {
	_, _ = cut.Bounded(diskLimit, func() (struct{}, error) { leave(); return struct{}{}, nil })
}

func cutNow(ctx context.Context, file, late string, o cut.Options) error {
	cfg, err := cut.Bounded(diskLimit, func() (master.Config, error) { return master.LoadConfig(file) })
	wired := master.Wired(cfg)
	if err != nil { // the seal stands on its own: what breaks disarms nothing
		cfg.Run, cfg.Data, wired = master.DefaultRun, master.DefaultData, nil
	}
	o.Seal, err = cut.Bounded(diskLimit, func() (cut.Seal, error) { return cut.Load(nil, cut.Path(cfg.Run)) })
	if errors.Is(err, cut.ErrNone) {
		return nil
	}
	if to, why := going(ctx, late); why != nil {
		return fmt.Errorf("nothing is cut: %w", why)
	} else if !cut.Final(to) {
		return nil
	}
	boot, bootErr := daemon.BootID()
	if err = errors.Join(err, bootErr); err == nil {
		err = o.Seal.Check(cut.Here{Boot: boot, Now: o.Now(), UPS: wired})
	}
	if err != nil {
		tryDisk(func() { cut.Refuse(nil, cfg.Data, err) })
		return fmt.Errorf("nothing is cut: %w", err)
	}
	if o.Within == 0 { // else it is the second try, which begins later
		tryDisk(func() { cut.NoteStop(nil, cfg.Data, o.Seal, o.Now()) })
	}
	if err := cut.Run(ctx, o); err != nil {
		return err
	}
	_ = cut.Remove(nil, cut.Path(cfg.Run)) // the second try has nothing left to do
	return nil
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
		if to := cut.Going(jobs); to != "" {
			return to, nil
		}
		return "", errors.New("systemd is not on its way down")
	}
	return "", errors.New("cannot ask systemd what it is going to: there is no systemctl")
}
