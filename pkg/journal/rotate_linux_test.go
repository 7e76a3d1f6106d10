package journal

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAClosedFileThatCannotBeReadIsTold(t *testing.T) {
	closed, old, now, all := twoFiles(t)
	path := lay(t, t.TempDir(), closed, old, now)
	const nobody = 65534
	away := filepath.Join(filepath.Dir(path), closed)
	if err := os.Chmod(away, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // root reads everything: read as nobody
		for _, p := range []string{filepath.Dir(path), path, away} {
			if err := os.Chown(p, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
	}
	got, err := read(t, path)
	if err == nil || !strings.Contains(err.Error(), "cannot read "+filepath.Join(filepath.Dir(path), closed)+" of the journal: permission denied") {
		t.Errorf("told %v", err)
	}
	if n := strings.Count(string(old), "\n"); cmp.Diff(all[n:], got) != "" {
		t.Errorf("read %v", got)
	}
	if next := write(t, path, 9, 9); next[0].Seq != 6 {
		t.Errorf("seq goes on with %d", next[0].Seq)
	}
}
