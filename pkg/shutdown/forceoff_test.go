package shutdown

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helper stands for the program that ends a hanging shutdown. It holds a pipe open for as
// long as it lives.
const helper = `#!/bin/sh
cd %q && exec 9>pipe || exit 1
read -r _ _ _ _ _ session _ </proc/self/stat
[ "$session" = $$ ] && echo "$1, in its own session" >&9
: >ready
echo ready
read -r go && echo "told $go" >&9
`

// TestTheForcedPowerOffIsArmedByAcceptance: it is ready before the shutdown is asked for, and
// goes on only when that was accepted. What refuses may be called back; nothing of it is
// left then.
func TestTheForcedPowerOffIsArmedByAcceptance(t *testing.T) {
	for _, c := range []struct {
		name, asked string
		refused     bool
		want        string
	}{
		{"accepted", "test -e ready", false, "600, in its own session\ntold go\n"},
		{"refused", "false", true, "600, in its own session\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pipe, path := filepath.Join(dir, "pipe"), filepath.Join(dir, "force-off")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, fmt.Appendf(nil, helper, dir), 0o700); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
			got := make(chan string, 1)
			go func() {
				f, err := os.Open(pipe) // until it is there
				if err != nil {
					got <- err.Error()
					return
				}
				defer f.Close()
				did, _ := io.ReadAll(f) // until it has ended
				got <- string(did)
			}()
			x := command{name: MethodSysVInit, argv: []string{"sh", "-c", "cd " + dir + " && " + c.asked}, limit: toolLimit, force: path}
			if err := x.PowerOff(t.Context()); (err != nil) != c.refused {
				t.Error(err)
			}
			select {
			case did := <-got:
				if did != c.want {
					t.Errorf("it did %q, want %q", did, c.want)
				}
			case <-time.After(10 * time.Second):
				t.Error("it was left waiting")
			}
		})
	}
}

// TestNoHelperIsNoReasonToStay: what isn't there, or can't be started, or ends at once.
func TestNoHelperIsNoReasonToStay(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"none": "", "broken": "#!/no/such/program\n", "ends": "#!/bin/sh\n"} {
		path := filepath.Join(dir, name)
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // a program
				t.Fatal(err)
			}
		}
		x := command{name: MethodSysVInit, argv: []string{"true"}, limit: toolLimit, force: path}
		if err := x.PowerOff(t.Context()); err != nil {
			t.Errorf("%s: the machine does not go: %v", name, err)
		}
		x.argv[0] = "false"
		if err := x.PowerOff(t.Context()); err == nil || !strings.Contains(err.Error(), "false") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
