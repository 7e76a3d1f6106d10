//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := write("good.toml", "a = 1\n", 0o644)
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo.toml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"a file", good, ""},
		{"a link to one, as packages make them", link, ""},
		{"missing", filepath.Join(dir, "none"), "cannot read the configuration: open " + filepath.Join(dir, "none") + ": no such file or directory"},
		{"a folder", dir, "cannot read the configuration: " + dir + " is not a regular file but a folder; name a file"},
		{"a FIFO, which must not hang", fifo, "cannot read the configuration: " + fifo + " is not a regular file but a FIFO; name a file"},
		{"a device", "/dev/null", "cannot read the configuration: /dev/null is not a regular file but a device; name a file"},
		{"world-writable", write("open.toml", "", 0o666), "cannot read the configuration: anybody may write " + dir + "/open.toml; run: chmod o-w " + dir + "/open.toml"},
		{"too large", write("big.toml", strings.Repeat("#\n", 1<<19+1), 0o600), "cannot read the configuration: " + dir + "/big.toml is larger than 1 MiB; is it the right file?"},
		{"not TOML", write("bad.toml", "x\n", 0o600), dir + "/bad.toml:1:2: a key without a value; write KEY = VALUE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Load(tt.path)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("\ngot  %s\nwant %s", got, tt.want)
			}
			if (d == nil) != (tt.want != "") {
				t.Errorf("a document beside an error, or neither: %v", d)
			}
		})
	}
}
