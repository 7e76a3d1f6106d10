//go:build linux && (amd64 || arm64)

package rack

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var bareKey = regexp.MustCompile(`([a-z_]+) =`)

// ip runs ip commands in the test's own network.
func ip(t testing.TB, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v\n%s", commands, err, out)
	}
}
