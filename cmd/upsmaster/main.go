// Command upsmaster runs on the host that has the UPS's serial plug: it watches
// the lines and tells every machine of the rack.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is written by the linker (Makefile).
var version = "dev"

func main() {
	started := false // past the command line: what fails now is no usage error
	err := command(&started).ExecuteContext(context.Background())
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

// command is the command line; started is set when it was a good one.
func command(started *bool) *cobra.Command {
	var file string
	start := func(c *cobra.Command, _ []string) error {
		*started = true
		return run(c.Context(), file)
	}
	root := &cobra.Command{
		Use:   "upsmaster [run|setup] [--config FILE]",
		Short: "Watch a UPS's lines and tell every machine that lives on it",
		Long: `Runs on the host that the UPS's serial cable is plugged into, as a service. It
watches the lines, tells the agents of the rack what the power does, and takes its
own host down too. upsmaster setup writes its configuration.

SIGHUP (systemctl reload) reads the configuration anew, once the power is well; a
file with mistakes changes nothing. SIGTERM ends it, and the nodes are told.`,
		Version: version, Args: cobra.NoArgs, RunE: start,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&file, "config", "/etc/lastwatt/master.toml", "the configuration `FILE`")
	root.AddCommand(&cobra.Command{Use: "run", Short: root.Short, Args: cobra.NoArgs, RunE: start}, setupCmd(&file, started), cutCmd(&file, started))
	root.CompletionOptions.HiddenDefaultCmd = true // it works, but a daemon's help has better to say
	return root
}
