package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/agent"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
)

func (c *cli) checkCmd() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE...", Short: "say everything that is wrong in configuration files",
		Args: arguments(1, -1),
		RunE: func(_ *cobra.Command, files []string) error {
			type verdict struct {
				File     string   `json:"file"`
				Kind     string   `json:"kind"`
				Mistakes []string `json:"mistakes"`
			}
			var all []verdict
			bad := false
			for _, f := range files {
				kind, err := checkFile(f)
				v := verdict{File: f, Kind: kind, Mistakes: []string{}}
				var wrong *config.Error
				switch {
				case err == nil:
				case errors.As(err, &wrong):
					v.Mistakes, bad = strings.Split(err.Error(), "\n"), true
				default:
					return err // it can't even be read
				}
				all = append(all, v)
			}
			if c.json {
				if err := writeJSON(c.out, all, "  "); err != nil {
					return err
				}
			} else {
				for _, v := range all {
					for _, m := range v.Mistakes {
						fmt.Fprintln(c.out, clean(m))
					}
					if len(v.Mistakes) == 0 {
						fmt.Fprintf(c.out, "%s: good (ups%s)\n", clean(v.File), v.Kind)
					}
				}
			}
			if bad {
				return errAttention
			}
			return nil
		},
	}
}

// checkFile reads a file as the daemon that it is for would.
func checkFile(file string) (kind string, err error) {
	kind, err = kindOf(file)
	switch {
	case err != nil:
		return kind, err
	case kind == "master":
		_, err = master.LoadConfig(file)
	default:
		_, err = agent.LoadConfig(file)
	}
	return kind, err
}

// kindOf says whose a file is: by its name, else by the keys that only a master has.
func kindOf(file string) (string, error) {
	doc, err := config.Load(file)
	name := filepath.Base(file)
	switch {
	case strings.Contains(name, "master"):
		return "master", err
	case strings.Contains(name, "agent"):
		return "agent", err
	case err != nil:
		return "", err
	}
	for _, key := range []string{"ups", "recover", "node", "metrics"} {
		if doc.Root().Has(key) {
			return "master", nil
		}
	}
	return "agent", nil
}
