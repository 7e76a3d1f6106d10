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
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Options are what a program adds.
type Options struct {
	// Main, if there is one, is the program: every first word of a line is its name, and
	// it is not started anew for each, which takes its time under the race detector. It
	// must not look at the folder that it is in.
	Main func(c Command) int
	// Env are the names of variables that the scripts' commands set; a program has them,
	// PATH, and as HOME the script's folder.
	Env []string
	// Commands are for the scripts.
	Commands map[string]func(ts *testscript.TestScript, neg bool, args []string)
	// After returns what to add below a command's output, in whole lines.
	After func(ts *testscript.TestScript) string
}

// Command is one command line and its streams.
type Command struct {
	Args     []string // without the program's name
	Env      func(string) string
	In       io.Reader
	Out, Err io.Writer
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
	var stdout, stderr bytes.Buffer
	in := strings.NewReader("")
	if fed {
		in = strings.NewReader(ts.ReadFile(file))
	}
	var status int
	if o.Main != nil {
		status = o.Main(Command{words[1:], ts.Getenv, in, &stdout, &stderr})
	} else {
		status = o.start(ts, words, in, &stdout, &stderr)
	}
	// The folder's name is another each time.
	text := strings.NewReplacer(ts.Getenv("WORK"), "$WORK").Replace
	out.WriteString(whole(text(stdout.String())))
	for l := range strings.Lines(whole(text(stderr.String()))) {
		out.WriteString("! " + l)
	}
	if status != 0 {
		fmt.Fprintf(out, "exit %d\n", status)
	}
	if o.After != nil {
		out.WriteString(o.After(ts))
	}
}

// start runs a program and returns its exit status.
func (o Options) start(ts *testscript.TestScript, words []string, in io.Reader, out, errs io.Writer) int {
	cmd := exec.Command(words[0], words[1:]...) //nolint:noctx // the test's own limit ends it
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = ts.Getenv("WORK"), in, out, errs
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + cmd.Dir}
	for _, name := range o.Env {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%q: %v", words, err)
	}
	return cmd.ProcessState.ExitCode()
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
