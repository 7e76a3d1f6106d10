package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// The exit statuses of the contract.
const (
	exitWell      = 0
	exitCannotAsk = 1
	exitUsage     = 2
	exitAttention = 3
)

// errAttention is said by what was printed already.
var errAttention = errors.New("attention")

// usageError is a mistake in the command line: what, and what to write instead.
type usageError struct{ what, hint string }

// Error returns both, in two lines.
func (e usageError) Error() string { return e.what + "\n" + e.hint }

// cli is one run of upsctl with everything that it may touch.
type cli struct {
	in            io.Reader
	out, err      io.Writer
	inTTY, outTTY bool
	env           func(string) string
	now           func() time.Time       // the wall clock, only ever shown to people
	sockets       []string               // the daemons' own, asked in this order
	exe           func() (string, error) // where this program lies
	raw           func() (restore func(), err error)
	tty           terminal
	roots         line.Roots // where the kernel tells of serial ports

	// The global flags.
	socket, master string
	json           bool
}

// run carries out one command line and returns the exit status.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitWell
	case errors.Is(err, errAttention):
		return exitAttention
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "upsctl: %s\n", cleanLines(err.Error()))
		return exitUsage
	default:
		fmt.Fprintf(c.err, "upsctl: %s\n", cleanLines(err.Error()))
		return exitCannotAsk
	}
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "upsctl [--socket PATH | --master HOST:PORT] [--json] VERB",
		Short: "ask and steer a rack's power",
		Long: `upsctl asks and steers a rack's power.

It asks a master that you have joined ('upsctl join'), else the master's socket on
this machine, else the agent's, which passes reads on to its masters; or whom
--master or --socket names.

Exit status: 0 all is well, 1 could not ask, 2 usage, 3 attention (a UPS not OK or
blind, a node not idle or out of touch, or any problem).`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{"no verb", "'upsctl help' lists all verbs"}
			}
			return unknownVerb(cmd, args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.socket != "" && c.master != "" {
				return usageError{"--socket and --master exclude each other", "name the one to ask"}
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(helpCmd(root))
	flags := root.PersistentFlags()
	flags.StringVar(&c.socket, "socket", "", "ask the daemon at this socket `PATH`")
	flags.StringVar(&c.master, "master", "", "ask the master at `HOST:PORT`")
	flags.BoolVar(&c.json, "json", false, "answer for programs")
	root.AddCommand(
		c.statusCmd(), c.doctorCmd(), c.drillCmd(), c.nodeCmd(), c.tokenCmd(), c.joinCmd(), c.caCmd(), c.holdCmd(), c.releaseCmd(), c.shutdownCmd(),
		c.eventsCmd(), c.historyCmd(), c.planCmd(), c.alarmCmd(), c.upsCmd(), c.simCmd(), c.cablesCmd(), c.probeCmd(), c.checkCmd(), c.demoCmd(), c.versionCmd(), c.completionCmd(),
	)
	root.SuggestionsMinimumDistance = 2 // letters wrong
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}", "", // its own line says that
		"Flags.FlagUsages", fmt.Sprint("Flags.FlagUsagesWrapped ", maxWidth),
	).Replace(root.UsageTemplate()))
	tidy(root)
	return root
}

// helpCmd is what cobra has too, with errors of our own.
func helpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB]", Short: "say what a verb does",
		ValidArgsFunction: func(_ *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if about, rest, err := root.Find(given); err == nil && len(rest) == 0 {
				for _, sub := range about.Commands() {
					names = append(names, sub.Name())
				}
			}
			return beginning(begun, names)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownVerb(root, strings.Join(args, " "))
			}
			return about.Help()
		},
	}
}

// tidy lets each usage line be the one that its verb wrote, breaks long texts where a
// terminal ends, and completes by files only what is one.
func tidy(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.Long = flow(cmd.Long)
	if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil && !strings.Contains(cmd.Use, "FILE") && !strings.Contains(cmd.Use, "[PORT]") {
		cmd.ValidArgsFunction = nothing
	}
	noFiles := func(f *pflag.Flag) {
		if value, _ := pflag.UnquoteUsage(f); value != "PATH" {
			flagWords(cmd, f.Name, nothing) // refused where there is something better
		}
	}
	cmd.Flags().VisitAll(noFiles)
	cmd.PersistentFlags().VisitAll(noFiles)
	for _, sub := range cmd.Commands() {
		tidy(sub)
	}
}

// wrongFlag says what is wrong with a flag in this program's words.
func wrongFlag(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if !errors.As(err, &value) {
		return usageError{err.Error(), seeHelp(cmd)}
	}
	what := fmt.Sprintf("--%s %q is ", value.GetFlag().Name, value.GetValue())
	switch value.GetFlag().Value.Type() {
	case "duration":
		return usageError{what + "no duration", "write it like 90s, 5m or 1h30m"}
	case "bool":
		return usageError{what + "neither true nor false", "write it without a value"}
	case "uint32":
		return usageError{what + "no count", "write a number"}
	default:
		return usageError{err.Error(), seeHelp(cmd)}
	}
}

func unknownVerb(cmd *cobra.Command, verb string) error {
	hint := "'upsctl help' lists all verbs"
	if near := cmd.SuggestionsFor(verb); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? " + hint
	}
	return usageError{fmt.Sprintf("unknown verb %q", verb), hint}
}

func seeHelp(cmd *cobra.Command) string {
	return fmt.Sprintf("usage: %s; see '%s --help'", cmd.UseLine(), cmd.CommandPath())
}

// group makes a verb that only has verbs below it.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	var names []string
	for _, v := range verbs {
		names = append(names, v.Name())
	}
	g := &cobra.Command{
		Use: use + " " + strings.Join(names, "|"), Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			hint := fmt.Sprintf("write %s %s", cmd.CommandPath(), strings.Join(names, " or "))
			if len(args) == 0 {
				return usageError{cmd.CommandPath() + " what?", hint}
			}
			return usageError{fmt.Sprintf("%s does not know %q", cmd.CommandPath(), args[0]), hint}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	g.AddCommand(verbs...)
	return g
}

// arguments checks how many there are; most < 0: any number.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError{"too few arguments for " + cmd.CommandPath(), seeHelp(cmd)}
		case most >= 0 && len(args) > most:
			return usageError{fmt.Sprintf("%s does not take %q", cmd.CommandPath(), args[most]), seeHelp(cmd)}
		}
		return nil
	}
}

// positive refuses a duration flag that is not more than zero.
func positive(cmd *cobra.Command, flag string, d time.Duration) error {
	if d <= 0 {
		return usageError{fmt.Sprintf("--%s %s is not more than zero", flag, d), seeHelp(cmd)}
	}
	return nil
}
