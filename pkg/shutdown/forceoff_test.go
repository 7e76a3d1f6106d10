package shutdown

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTheForcedPowerOffIsArmedByAcceptance, and by nothing else: what refuses may be
// called back.
func TestTheForcedPowerOffIsArmedByAcceptance(t *testing.T) {
	dir := t.TempDir()
	pipe, helper := filepath.Join(dir, "pipe"), filepath.Join(dir, "force-off")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nread -r _ _ _ _ _ session _ </proc/self/stat\necho \"$1 $PWD $session\" >" + pipe + "\n"
	if err := os.WriteFile(helper, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		f, err := os.Open(pipe) // until somebody writes
		if err != nil {
			got <- err.Error()
			return
		}
		defer f.Close()
		line, _ := bufio.NewReader(f).ReadString('\n')
		got <- line
	}()
	armed, other := filepath.Join(dir, "armed"), filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("#!/bin/sh\n: >"+armed+"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	no := command{name: MethodSysVInit, argv: []string{"false"}, limit: toolLimit, force: other}
	if err := no.PowerOff(t.Context()); err == nil {
		t.Fatal("it was refused")
	}
	yes := command{name: MethodSysVInit, argv: []string{"true"}, limit: toolLimit, force: helper}
	if err := yes.PowerOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(<-got)
	if len(words) != 3 || words[0] != "600" || words[1] != "/" {
		t.Errorf("it was started with %q", words)
	}
	if _, err := os.Stat(armed); err == nil { // by now: the other was started after it
		t.Error("a refusal armed it")
	}
	missing := command{name: MethodSysVInit, argv: []string{"true"}, limit: toolLimit, force: filepath.Join(dir, "none")}
	if err := missing.PowerOff(t.Context()); err != nil {
		t.Errorf("without it the machine does not go: %v", err)
	}
}
