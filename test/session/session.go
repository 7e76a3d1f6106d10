// Package session runs command lines as somebody at a shell would and writes down
// what came of them, so that a test reads like a session:
//
//	$ upsctl statsu
//	! upsctl: unknown verb "statsu"
//	! did you mean status? 'upsctl help' lists all verbs
//	exit 2
//
// A line that begins with $ is a command; below it stand standard output, standard
// error behind "! ", an exit status that is not 0, and what [Options] adds. The lines
// live in testscript files, are compared exactly, and are written anew by -rewrite.
//
// It knows no program. Every session has an environment of its own; several may run
// at once.
package session

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Options are what a program adds.
type Options struct {
	// Env are the names of variables that the scripts' commands set; a program has them,
	// PATH, and as HOME the script's folder.
	Env []string
	// Commands are for the scripts.
	Commands map[string]func(ts *testscript.TestScript, neg bool, args []string)
	// After returns what to add below a command's output, in whole lines.
	After func(ts *testscript.TestScript) string
}

// Run plays every script in testdata/script. In a script
//
//	session FILE
//	cmp stdout FILE
//
// runs the command lines of FILE and compares.
func Run(t *testing.T, o Options) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){"session": o.session}
	for name, cmd := range o.Commands {
		cmds[name] = cmd
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: rewrite(), Cmds: cmds, RequireExplicitExec: true,
	})
}

// rewrite reports whether the test was started with -rewrite, a flag of whoever
// tests.
func rewrite() bool {
	f := flag.Lookup("rewrite")
	return f != nil && f.Value.String() == "true"
}

func (o Options) session(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("session FILE")
	}
	var out strings.Builder
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		command, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		if !is {
			continue
		}
		fmt.Fprintf(&out, "$ %s\n", command)
		o.run(ts, command, &out)
	}
	_, err := ts.Stdout().Write([]byte(out.String()))
	ts.Check(err)
}

// run runs one command line: words, single quotes, variables, {ESC} for that key, < FILE.
func (o Options) run(ts *testscript.TestScript, line string, out *strings.Builder) {
	line, file, fed := strings.Cut(line, " < ")
	words := split(line)
	for i := range words {
		words[i] = strings.ReplaceAll(os.Expand(words[i], ts.Getenv), "{ESC}", "\x1b")
	}
	cmd := exec.Command(words[0], words[1:]...) //nolint:noctx // the test's own limit ends it
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + cmd.Dir}
	for _, name := range o.Env {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	if fed {
		cmd.Stdin = strings.NewReader(ts.ReadFile(file))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	// The folders' names are others each time.
	text := strings.NewReplacer(cmd.Dir, "$WORK", filepath.Dir(cmd.Path), "$BIN").Replace
	out.WriteString(whole(text(stdout.String())))
	for l := range strings.Lines(whole(text(stderr.String()))) {
		out.WriteString("! " + l)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		fmt.Fprintf(out, "exit %d\n", exit.ExitCode())
	case err != nil:
		ts.Fatalf("%s: %v", line, err)
	}
	if o.After != nil {
		out.WriteString(o.After(ts))
	}
}

// whole makes a last line without an end visible.
func whole(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "%\n"
}

// split cuts a line at blanks outside of single quotes.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
