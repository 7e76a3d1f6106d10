// Command upsagent runs on every machine of the rack but the master's: it hears of
// the power from its master and takes this machine down in time, by its own policy.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/agent"
)

// version is written by the linker (Makefile).
var version = "dev"

// joinLimit bounds a whole join or leave: the agent's own limits are shorter and
// say more.
const joinLimit = time.Minute

// defaultFile is where the configuration lies. Every key has a default: without a file
// there this machine is protected all the same.
const defaultFile = "/etc/lastwatt/agent.toml"

func main() {
	started := false // past the command line: what fails now is no usage error
	err := command(&started).ExecuteContext(context.Background())
	switch {
	case err == nil:
	case started:
		fmt.Fprintln(os.Stderr, "upsagent:", err)
		os.Exit(1)
	default:
		fmt.Fprintf(os.Stderr, "upsagent: %v\nTry: upsagent --help\n", err)
		os.Exit(2)
	}
}

// command is the command line; started is set when it was a good one.
func command(started *bool) *cobra.Command {
	var file, address string
	start := func(c *cobra.Command, _ []string) error {
		*started = true
		return run(c.Context(), file)
	}
	root := &cobra.Command{
		Use:   "upsagent [run] [--config FILE]",
		Short: "Take this machine down in time when the power fails",
		Long: `Runs on every machine of the rack but the master's, as a service. It hears of the
power from its master, and takes this machine down by its own policy. One that has
joined no rack waits for upsagent join. Without a configuration file each key has its
default.

SIGHUP (systemctl reload) reads the configuration anew, once the power is well; a
file with mistakes changes nothing.`,
		Version: version, Args: cobra.NoArgs, RunE: start,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&file, "config", defaultFile, "the configuration `FILE`")
	root.AddCommand(&cobra.Command{Use: "run", Short: root.Short, Args: cobra.NoArgs, RunE: start})
	join := &cobra.Command{
		Use: "join [--master HOST:PORT] TOKEN", Short: "Make the running agent join a rack, and wait until it is protected",
		Long: `Gives the running agent a token (upsctl token create, on the master), waits until it
is attached, and says what now holds.`,
		Example: `  upsagent join TOKEN
  upsagent join --master rack1.example.org:8493 TOKEN`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("join needs a TOKEN; upsctl token create prints one, on the master's host")
			case len(args) > 1:
				return fmt.Errorf("join takes one TOKEN, and %q is too much", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			*started = true
			return joinRack(c.Context(), file, address, args[0])
		},
	}
	join.Flags().StringVar(&address, "master", "", "the master's `HOST:PORT`; default: as the configuration says")
	leave := &cobra.Command{
		Use: "leave [MASTER]", Short: "Make the running agent leave its rack and forget its key there",
		Long: `Takes this machine off its rack's roster and deletes its key for it. From then on
nobody tells it of a power failure. Where the master can't be told it says so, and
upsctl node remove is left to do.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("leave takes one MASTER at most, and %q is too much", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			*started = true
			return leaveRack(c.Context(), file, append(args, "")[0])
		},
	}
	root.AddCommand(join, leave)
	root.CompletionOptions.HiddenDefaultCmd = true // it works, but a daemon's help has better to say
	return root
}

// load reads the configuration that the running agent goes by.
func load(file string) (agent.Config, error) {
	cfg, err := agent.LoadConfig(file)
	if file == defaultFile && errors.Is(err, fs.ErrNotExist) {
		return agent.ParseConfig(file, nil)
	}
	return cfg, err
}

// joinRack asks the running agent to join and says what now holds.
func joinRack(ctx context.Context, file, address, token string) error {
	cfg, err := load(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	said, err := agent.AskToJoin(ctx, cfg.Socket, token, address)
	if err != nil {
		return err
	}
	fmt.Println(said)
	return nil
}

// leaveRack asks the running agent to leave and says what now holds.
func leaveRack(ctx context.Context, file, master string) error {
	cfg, err := load(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	said, err := agent.AskToLeave(ctx, cfg.Socket, master)
	if err != nil {
		return err
	}
	fmt.Println(said)
	return nil
}
