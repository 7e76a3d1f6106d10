package shutdown

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheJobTimeoutIsLiftedAndPutBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "system")
	var ran []string
	var fails error
	run := func(_ context.Context, c Cmd) (string, error) {
		ran = append(ran, filepath.Base(c.Argv[0])+" "+strings.Join(c.Argv[1:], " "))
		return "no bus\n", fails
	}
	t.Setenv("PATH", tools(t, "systemctl"))
	lift := func(on bool) error { return liftIn(t.Context(), dir, run, on) }

	if err := lift(true); err != nil || len(ran) > 0 {
		t.Fatalf("where systemd is not init: %v, ran %q", err, ran)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{false, true, true, false, false} {
		ran = nil
		if err := lift(on); err != nil || len(ran) != 1 || ran[0] != "systemctl daemon-reload" {
			t.Fatalf("lifted %t: %v, ran %q", on, err, ran)
		}
		text, err := os.ReadFile(filepath.Join(dir, liftDropIn))
		if on != (err == nil) || on && !strings.Contains(string(text), "\nJobTimeoutSec=infinity\nJobTimeoutAction=none\n") {
			t.Fatalf("lifted %t: %v %q", on, err, text)
		}
	}
	fails = errors.New("exit status 1")
	if err := lift(true); err == nil || !strings.Contains(err.Error(), "exit status 1: no bus") {
		t.Errorf("a reload that failed: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lift(true); err == nil {
		t.Error("a file in the folder's place went unnoticed")
	}
}

// tools returns a folder with such programs, which nobody runs.
func tools(t *testing.T, names ...string) string {
	dir := t.TempDir()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("#!/bin/false\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	return dir
}
