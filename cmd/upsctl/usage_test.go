package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// verbs are all commands below cmd, and cmd.
func verbs(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, verbs(sub)...)
	}
	return all
}

// TestHelp: each verb says in a line and at length what it is for, and no line of
// that is wider than a terminal; only usage lines may be.
func TestHelp(t *testing.T) {
	for _, verb := range verbs((&cli{}).root()) {
		path := verb.CommandPath()
		if verb.Short == "" || !verb.HasSubCommands() && verb.Long == "" && verb.Name() != "version" && verb.Name() != "help" {
			t.Errorf("%s says too little about itself", path)
		}
		got := run(t, nil, append(strings.Fields(path)[1:], "--help")...)
		if got.Code != exitWell || got.Err != "" {
			t.Errorf("%s --help: %+v", path, got)
		}
		for line := range strings.Lines(got.Out) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > maxWidth && !strings.Contains(line, verb.UseLine()) {
				t.Errorf("%s --help: %d characters: %s", path, n, line)
			}
		}
	}
}

// TestEveryFlagThatTakesAValueIsCompleted by something, if only by nothing: a shell
// that offers the files that lie about says that one is wanted.
func TestEveryFlagThatTakesAValueIsCompleted(t *testing.T) {
	for _, verb := range verbs((&cli{}).root()) {
		args := strings.Fields(verb.CommandPath())[1:]
		for _, flag := range []string{"--for", "--ttl", "--role", "--last", "--cable", "--name", "--master"} {
			if verb.Flags().Lookup(flag[2:]) == nil && verb.InheritedFlags().Lookup(flag[2:]) == nil {
				continue
			}
			if got := run(t, nil, append(append([]string{"__complete"}, args...), flag, "")...); !strings.HasSuffix(got.Out, ":4\n") {
				t.Errorf("%s %s offers files: %q", verb.CommandPath(), flag, got.Out)
			}
		}
	}
}

// TestCompletionIsForThatShell: each script is for its shell and asks this program.
func TestCompletionIsForThatShell(t *testing.T) {
	for _, shell := range shells {
		got := run(t, nil, "completion", shell)
		if got.Code != exitWell || got.Err != "" || !strings.Contains(got.Out, shell+" completion") || !strings.Contains(got.Out, "__complete") {
			t.Errorf("completion %s: exit %d, %q: %.200s", shell, got.Code, got.Err, got.Out)
		}
	}
}

// TestCompletionDoesNotWait for a daemon that hangs: somebody sits at the prompt.
func TestCompletionDoesNotWait(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody ever accepts
	start := time.Now()
	got := run(t, nil, "__complete", "--socket", l.Addr().String(), "hold", "")
	if took := time.Since(start); got.Out != ":4\n" || took > 5*time.Second {
		t.Errorf("after %s: %+v", took, got)
	}
}
