// Package manual writes man pages: of commands, from the same definitions as their
// help, and of configuration files, from the commented references. The pages are
// committed in deploy/man; a test of each program holds them fresh, and its flag
// -rewrite writes them.
//
// It knows roff (groff_man(7)) and no program. It is only ever linked into tests.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// dir is where the pages are, as seen from a program's folder or from here.
const dir = "../../deploy/man"

// Options are what the definition of a command does not say.
type Options struct {
	// Section of the manual.
	Section int
	// Status says what the exit statuses mean, one a line; Files what is read and
	// written, likewise: a word, two blanks, what it is.
	Status, Files string
	// Environment is likewise.
	Environment string
	// SeeAlso are further pages, "upsctl(1)".
	SeeAlso []string
}

// Check compares the pages of a command and of all below it with deploy/man, or
// writes them.
func Check(t *testing.T, root *cobra.Command, o Options, rewrite bool) {
	t.Helper()
	pages := map[string]string{}
	add(pages, root, o)
	compare(t, pages, fmt.Sprintf("%s*.%d", root.Name(), o.Section), rewrite)
}

// compare holds pages against the files that fit pattern: none is missing, another or
// too much.
func compare(t *testing.T, pages map[string]string, pattern string, rewrite bool) {
	t.Helper()
	there, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if _, wanted := pages[filepath.Base(path)]; !wanted {
			if rewrite {
				_ = os.Remove(path)
			} else {
				t.Errorf("%s is of nothing that there is: go test with -rewrite", path)
			}
		}
	}
	for name, want := range pages {
		path := filepath.Join(dir, name)
		if rewrite {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v: go test with -rewrite writes it", err)
			continue
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the program says; go test with -rewrite (-want +got):\n%s", name, diff)
		}
	}
}

// page is the name of a command's page.
func page(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func add(pages map[string]string, cmd *cobra.Command, o Options) {
	pages[fmt.Sprintf("%s.%d", page(cmd), o.Section)] = render(cmd, o)
	for _, sub := range shown(cmd) {
		add(pages, sub, o)
	}
}

// shown are the commands below cmd that its help names.
func shown(cmd *cobra.Command) []*cobra.Command {
	var subs []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			subs = append(subs, sub)
		}
	}
	return subs
}

func render(cmd *cobra.Command, o Options) string {
	var r roff
	r.title(page(cmd), o.Section)
	r.section("NAME")
	r.line(escape(page(cmd)) + ` \- ` + escape(cmd.Short))
	r.section("SYNOPSIS")
	r.synopsis(cmd.CommandPath(), strings.TrimSuffix(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()), " [flags]"))
	r.section("DESCRIPTION")
	if cmd.Long != "" {
		r.text(cmd.Long)
	} else {
		r.text(strings.ToUpper(cmd.Short[:1]) + cmd.Short[1:] + ".")
	}
	if subs := shown(cmd); len(subs) > 0 {
		r.section("COMMANDS")
		for _, sub := range subs {
			r.item(fmt.Sprintf(`\fB%s\fR(%d)`, escape(page(sub)), o.Section), sub.Short)
		}
	}
	flags := cmd.NonInheritedFlags()
	r.options("OPTIONS", flags)
	r.options("OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	if cmd.Example != "" {
		r.section("EXAMPLES")
		r.verbatim(cmd.Example)
	}
	r.list("EXIT STATUS", o.Status)
	if !cmd.HasParent() {
		r.list("ENVIRONMENT", o.Environment)
		r.list("FILES", o.Files)
	}
	r.seeAlso(cmd, o)
	return r.String()
}

// options are a command's flags, as its help has them.
func (r *roff) options(title string, flags *pflag.FlagSet) {
	begun := false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if !begun {
			r.section(title)
			begun = true
		}
		value, usage := pflag.UnquoteUsage(f)
		head := `\fB\-\-` + escape(f.Name) + `\fR`
		if f.Shorthand != "" {
			head = `\fB\-` + f.Shorthand + `\fR, ` + head
		}
		if value != "" {
			head += ` \fI` + escape(value) + `\fR`
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" && !strings.Contains(usage, "default") {
			def := f.DefValue
			if strings.HasSuffix(def, "m0s") {
				def = strings.TrimSuffix(def, "0s")
			}
			usage += fmt.Sprintf(" (default %s)", def)
		}
		r.item(head, usage)
	})
}

func (r *roff) seeAlso(cmd *cobra.Command, o Options) {
	var also []string
	if cmd.HasParent() {
		also = append(also, fmt.Sprintf("%s(%d)", page(cmd.Parent()), o.Section))
		for _, sub := range shown(cmd.Parent()) {
			if sub != cmd && cmd.Parent().HasParent() {
				also = append(also, fmt.Sprintf("%s(%d)", page(sub), o.Section))
			}
		}
	}
	r.also(append(also, o.SeeAlso...))
}
