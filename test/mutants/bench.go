package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// asked are the packages whose tests are to notice, the cheapest first.
var asked = []string{"pkg/power", "pkg/policy", "pkg/health", "pkg/node", "api", "agent", "master", "test/memrack"}

// limit is how long one package's tests may take: what hangs has been noticed too. The
// rack's take a minute, and several on a machine that has more to do.
func limit(dir string) time.Duration {
	if dir == "test/memrack" {
		return 10 * time.Minute
	}
	return time.Minute
}

// Bench is a copy of the tree that is broken and mended.
type Bench struct{ dir string }

// NewBench copies what git knows, or would add, of the tree at root into dir.
func NewBench(ctx context.Context, root, dir string) (*Bench, error) {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the tree: %w", err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot copy the tree: %w", err)
		}
	}
	return &Bench{dir}, nil
}

// copyFile copies and never links: the copy is written to.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}

// Verdict says what became of a fault.
type Verdict struct {
	By  string // "pkg/policy TestScenarios/blip": who noticed; empty: nobody
	Err error  // the fault is no fault: it doesn't build, or its text isn't there
}

// Sound runs every test that will be asked on the tree as it is.
func (b *Bench) Sound(ctx context.Context) error {
	v := b.ask(ctx, asked)
	if v.By != "" {
		return fmt.Errorf("%s fails without any fault; mend it first", v.By)
	}
	return v.Err
}

// Try puts f into the copy, asks the tests, and takes it out again.
func (b *Bench) Try(ctx context.Context, f Fault) Verdict {
	if err := f.Check(b.dir); err != nil {
		return Verdict{Err: err}
	}
	file := filepath.Join(b.dir, f.File)
	whole, err := os.ReadFile(file)
	if err != nil {
		return Verdict{Err: err}
	}
	broken := strings.Replace(string(whole), f.Old, f.New, 1)
	if err := os.WriteFile(file, []byte(broken), 0o644); err != nil {
		return Verdict{Err: err}
	}
	if out, err := b.run(ctx, "build", "-trimpath", "./"+f.dir()); err != nil {
		_ = os.WriteFile(file, whole, 0o644)
		return Verdict{Err: fmt.Errorf("%s does not build (%w):\n%s", f.Name, err, out)}
	}
	// Its own tests most likely notice, and cost least.
	v := b.ask(ctx, append([]string{f.dir()}, slices.DeleteFunc(slices.Clone(asked), func(dir string) bool { return dir == f.dir() })...))
	if err := os.WriteFile(file, whole, 0o644); err != nil {
		v.Err = err
	}
	return v
}

// ask runs the tests of each folder until one is red.
func (b *Bench) ask(ctx context.Context, dirs []string) Verdict {
	for _, dir := range dirs {
		// No -count=1: a package that doesn't build on the fault has its answer cached.
		out, err := b.run(ctx, "test", "-trimpath", "-failfast", "-vet=off", "-timeout="+limit(dir).String(), "./"+dir)
		switch {
		case ctx.Err() != nil:
			return Verdict{Err: ctx.Err()}
		case err != nil && bytes.Contains(out, []byte("[build failed]")):
			return Verdict{Err: fmt.Errorf("the tests of %s do not build:\n%s", dir, out)}
		case err != nil:
			return Verdict{By: dir + " " + Red(string(out))}
		}
	}
	return Verdict{}
}

var (
	redSub  = regexp.MustCompile(`(?m)^ +--- FAIL: (\S+)`)
	redTop  = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	running = regexp.MustCompile(`(?m)^\s+(Test\S+) \(\d`)
	broke   = regexp.MustCompile(`(?m)^(?:panic|fatal error): (.*)`)
)

// Red returns the name of the first test that failed, as told by go test.
func Red(out string) string {
	for _, by := range []*regexp.Regexp{redSub, redTop, running, broke} {
		if m := by.FindStringSubmatch(out); m != nil {
			return m[1]
		}
	}
	return "(no test named)"
}

// run runs the go tool in the copy.
func (b *Bench) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "PWD="+b.dir)
	return cmd.CombinedOutput()
}
