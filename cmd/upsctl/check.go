package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lastwatt/lastwatt/agent"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/config"
)

func (c *cli) checkCmd() *cobra.Command {
	quiet := false
	cmd := &cobra.Command{
		Use: "check FILE...", Short: "say what is wrong in configuration files, and what they mean",
		Long: `check says everything that is wrong in a master's or agent's configuration, then
what would not work on this machine, then the whole configuration with every
default. Files that are named together are also compared with each other.

Mistakes are exit status 3. Warnings are not: the file may be for another machine.`,
		Args: arguments(1, -1),
		RunE: func(_ *cobra.Command, files []string) error {
			all, err := c.checkFiles(files)
			if err != nil {
				return err // it can't even be read
			}
			if c.json {
				err = writeJSON(c.out, all, "  ")
			} else {
				c.printChecked(all, quiet)
			}
			for _, f := range all {
				if err == nil && len(f.Mistakes) > 0 {
					return errAttention
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "leave out the configuration with its defaults")
	return cmd
}

// checked is one file that was looked at.
type checked struct {
	File      string   `json:"file"`
	Kind      string   `json:"kind"`
	Mistakes  []string `json:"mistakes"`
	Warnings  []string `json:"warnings"`
	Effective string   `json:"effective,omitempty"`

	doc    *config.Doc
	master *master.Config // one of the two, if there are no mistakes in the file itself
	agent  *agent.Config
}

func (c *cli) checkFiles(files []string) ([]*checked, error) {
	var all []*checked
	for _, name := range files {
		f, err := readFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	for _, f := range all {
		f.compare(all)
		if f.doc == nil {
			continue
		}
		if err := f.mistaken(f.doc.Err()); err != nil {
			return nil, err
		}
		if len(f.Mistakes) > 0 {
			continue
		}
		f.Effective = f.doc.Effective(showable) // before more is asked of it
		c.onThisMachine(f)
		for _, w := range f.doc.Warnings() {
			f.Warnings = append(f.Warnings, w.String())
		}
	}
	return all, nil
}

// readFile reads a file as the daemon that it is for would. The error is one of a file
// that can't be read.
func readFile(name string) (*checked, error) {
	f := &checked{File: name, Mistakes: []string{}, Warnings: []string{}}
	kind, err := kindOf(name)
	f.Kind = kind
	if err != nil {
		return f, f.mistaken(err)
	}
	doc, err := config.Load(name)
	if err != nil {
		return f, f.mistaken(err)
	}
	f.doc = doc
	if kind == "master" {
		if cfg, err := master.ReadConfig(doc); err == nil {
			f.master = &cfg
		}
	} else if cfg, err := agent.ReadConfig(doc); err == nil {
		f.agent = &cfg
	}
	return f, nil
}

// mistaken notes the mistakes that err names; any other error is returned.
func (f *checked) mistaken(err error) error {
	var wrong *config.Error
	if errors.As(err, &wrong) {
		f.Mistakes = strings.Split(err.Error(), "\n")
		return nil
	}
	return err
}

func (c *cli) printChecked(all []*checked, quiet bool) {
	for i, f := range all {
		if i > 0 && !quiet {
			fmt.Fprintln(c.out)
		}
		for _, m := range f.Mistakes {
			fmt.Fprintln(c.out, clean(m))
		}
		if len(f.Mistakes) > 0 {
			continue
		}
		fmt.Fprintf(c.out, "%s: good (ups%s)\n", clean(f.File), f.Kind)
		for _, w := range f.Warnings {
			fmt.Fprintf(c.out, "warning: %s\n", clean(w))
		}
		if !quiet {
			fmt.Fprintf(c.out, "\n# What %s means, with every default:\n%s", clean(f.File), cleanLines(f.Effective))
		}
	}
}

// showable hides what gives access to those who are told: anybody may look over the
// shoulder of whoever checks a file.
func showable(key, text string) string {
	if key != "alarm.to" && key != "node.alarm.to" {
		return text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "…"
	case u.Scheme == "exec":
		return text
	default:
		return u.Scheme + "://" + u.Host + "/…"
	}
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
