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
	var file string
	start := func(c *cobra.Command, _ []string) error {
		started = true
		return run(c.Context(), file)
	}
	root := &cobra.Command{
		Use:     "upsmaster [run|setup] [--config FILE]",
		Short:   "Watch a UPS's lines and tell every machine that lives on it",
		Version: version, Args: cobra.NoArgs, RunE: start,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&file, "config", "/etc/lastwatt/master.toml", "the configuration `FILE`")
	root.AddCommand(&cobra.Command{Use: "run", Short: root.Short, Args: cobra.NoArgs, RunE: start}, setupCmd(&file, &started))
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
