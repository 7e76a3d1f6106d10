//go:build linux && (amd64 || arm64)

package vtty

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	const (
		full     = "error: no space left on device"
		readOnly = "error: read-only file system"
	)
	tests := []struct {
		cmd                   string
		full, readOnly, after string
	}{
		{"file read old", "ok", "ok", "ok"},
		{"file append old", full, readOnly, "ok"},
		{"file create new", full, readOnly, "ok"},
		{"file mkdir dir", full, readOnly, "ok"},
		{"file rename old older", "ok", readOnly, "ok"},
		{"file remove older", "ok", readOnly, "ok"},
		{"file append ../elsewhere", "ok", "ok", "ok"},
	}
	for _, fault := range []Fault{Full, ReadOnly, Hanging} {
		t.Run(map[Fault]string{Full: "full", ReadOnly: "read-only", Hanging: "hanging"}[fault], func(t *testing.T) {
			t.Parallel()
			for _, tt := range tests {
				dir := filepath.Join(t.TempDir(), "disk")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"old", "older", "../elsewhere"} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				d := NewDisk(t, dir)
				p := startOn(t, d, dir)
				d.Break(fault)
				switch fault {
				case Full:
					p.do(tt.cmd, tt.full)
					if _, err := os.Lstat(filepath.Join(dir, "new")); err == nil {
						t.Error("there was room for a new file")
					}
				case ReadOnly:
					p.do(tt.cmd, tt.readOnly)
				default:
					p.tell(tt.cmd)
					if tt.cmd != "file append ../elsewhere" {
						until(t, tt.cmd+" to hang", func() bool { return d.Hung() > 0 })
						d.Heal()
					}
					if got := p.answer(); got != tt.after {
						t.Errorf("%s, healed: got %q, want %q", tt.cmd, got, tt.after)
					}
				}
				d.Heal()
				p.do("file create afterwards", "ok")
			}
		})
	}
}

// startOn runs a helper on a disk.
func startOn(t *testing.T, d *Disk, dir string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, d.Command(nil, self, dir))
}
