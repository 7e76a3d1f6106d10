package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (c *cli) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "this program's version",
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if c.json {
				return writeJSON(c.out, map[string]string{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}, "  ")
			}
			_, err := fmt.Fprintf(c.out, "upsctl %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
