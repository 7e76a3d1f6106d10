package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type testConfig struct{ Data, Name string }

// newFiles returns the files of a daemon in a folder of its own.
func newFiles(t *testing.T) (f Files[testConfig], data string) {
	t.Helper()
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	return Files[testConfig]{
		Path: filepath.Join(dir, "x.toml"),
		Read: func(d *Doc) (testConfig, error) {
			c := testConfig{d.Root().AbsPath("data", data), d.Root().String("name", "")}
			d.Root().Table("more").Int("n", 1, 0, 9)
			return c, d.Err()
		},
		Data:    func(c testConfig) string { return c.Data },
		Replace: func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) },
		Log:     slog.New(slog.DiscardHandler),
	}, data
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keep makes the daemon's present file the last good copy.
func keep(t *testing.T, f Files[testConfig]) {
	t.Helper()
	v, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	f.Keep(t.Context(), v)
}

func TestLaw10ABrokenFileStartsItsLastGoodCopy(t *testing.T) {
	for _, tt := range []struct {
		name, broken string // "": the file is gone
		places       bool   // the folder is known without the file
		want         string // what is said of it; "": the start fails
	}{
		{"a wrong value", "data = %q\nname = 7\n", false, ":2:1: name: found the number 7"},
		{"an unknown key", "nam = \"x\"\ndata = %q", false, ":1:1: nam: unknown key"},
		{"no TOML at all", "x = = 1\n  data = %q # here\n[", false, ":1:5: "},
		{"gone", "", true, "no such file"},
		{"empty, and wrong by default", "[more]\nn = 77\n", true, ":2:1: more.n: 77 is too large"},
		{"gone, and nobody knows where the copy is", "", false, ""},
		{"data in a table is another key", "x = 1\n[t]\ndata = %q\n", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, data := newFiles(t)
			write(t, f.Path, fmt.Sprintf("# mine\nname = \"good\"\ndata = %q\n", data))
			keep(t, f)
			if tt.places {
				f.Places = []string{"", data}
			}
			if strings.Contains(tt.broken, "%q") {
				tt.broken = fmt.Sprintf(tt.broken, data)
			}
			write(t, f.Path, tt.broken)
			if tt.broken == "" {
				if err := os.Remove(f.Path); err != nil {
					t.Fatal(err)
				}
			}
			v, trouble, err := f.Start()
			if tt.want == "" {
				if err == nil || trouble != nil {
					t.Errorf("started by %+v", v.Config)
				}
				return
			}
			if err != nil || v.Config.Name != "good" {
				t.Fatalf("%+v %v", v.Config, err)
			}
			if trouble == nil || !strings.Contains(trouble.Error(), tt.want) || !strings.HasPrefix(trouble.Error(), "the last good copy of "+f.Path+" runs, saved 20") {
				t.Errorf("said: %v", trouble)
			}
			// Mended to the very same text, nothing has changed.
			write(t, f.Path, fmt.Sprintf("# mine\nname = \"good\"\ndata = %q\n", data))
			if again, err := f.Load(); err != nil || !again.Same(v) || !bytes.Equal(again.text, v.text) {
				t.Errorf("the copy is another: %q, the file is %q: %v", v.text, again.text, err)
			}
		})
	}
}

func TestACopyThatIsNotOursIsNotUsed(t *testing.T) {
	f, data := newFiles(t)
	f.Places = []string{data}
	path := filepath.Join(data, goodName)
	write(t, f.Path, "name = \"good\"\n")
	keep(t, f)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.Path, "name = 7\n")
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"of another file":      {strings.Replace(string(good), f.Path, "/etc/other.toml", 1), 0o600, "is of another file: /etc/other.toml"},
		"without a head":       {"name = \"x\"\n", 0o600, "does not say what it is a copy of"},
		"writable by everyone": {string(good), 0o666, "anybody may write"},
		"broken too":           {string(good) + "[more]\nn = 77\n", 0o600, goodName + ":5:1: more.n: 77 is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, tt.text)
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, _, err := f.Start()
			if err == nil || !strings.Contains(err.Error(), ":1:1: name: found the number 7") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			_ = os.Chmod(path, 0o600)
		})
	}
}

// TestACopyOfAStrangerIsNotUsed: only root can make one.
func TestACopyOfAStrangerIsNotUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	f, data := newFiles(t)
	f.Places = []string{data}
	write(t, f.Path, "name = \"good\"\n")
	keep(t, f)
	write(t, f.Path, "name = 7\n")
	if err := os.Chown(filepath.Join(data, goodName), 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if v, _, err := f.Start(); err == nil || !strings.Contains(err.Error(), "belongs to user 4711") {
		t.Errorf("%+v %v", v.Config, err)
	}
}

// TestAFileForEverybodyIsNotListenedTo: who may write the file must not say where
// the copy lies.
func TestAFileForEverybodyIsNotListenedTo(t *testing.T) {
	f, data := newFiles(t)
	write(t, f.Path, fmt.Sprintf("name = \"good\"\ndata = %q\n", data))
	keep(t, f)
	if err := os.Chmod(f.Path, 0o666); err != nil {
		t.Fatal(err)
	}
	if v, _, err := f.Start(); err == nil {
		t.Errorf("started by %+v", v.Config)
	}
}

func TestLaw10TheCopyIsTriedUntilTheDiskTakesIt(t *testing.T) {
	f, data := newFiles(t) // real files: outside the bubble
	write(t, f.Path, "name = \"good\"\n")
	v, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		tries, began := 0, time.Now()
		f.Replace = func(path string, b []byte) error {
			if tries++; tries < 3 {
				return errors.New("no space left on device")
			}
			return os.WriteFile(path, b, 0o600)
		}
		f.Keep(t.Context(), v)
		if took := time.Since(began); tries != 3 || took != 2*keepAgain {
			t.Errorf("%d tries in %s", tries, took)
		}
		f.Keep(t.Context(), v)
		if tries != 3 {
			t.Error("what is there already was written again")
		}
		v.text = append(v.text, '#')
		hangs := make(chan struct{})
		f.Replace = func(string, []byte) error { <-hangs; return nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f.Keep(ctx, v) // returns
		close(hangs)
	})
	if _, err := os.Stat(filepath.Join(data, goodName)); err != nil {
		t.Error(err)
	}
}

func TestBrief(t *testing.T) {
	for text, want := range map[string]string{"a": "a", "a\nb": "a; and 1 more", "a\nb\nc": "a; and 2 more"} {
		if got := Brief(errors.New(text)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNoFileIsAnEmptyOneWhereThatWillDo(t *testing.T) {
	f, data := newFiles(t)
	f.Places = []string{"", data}
	if _, _, err := f.Start(); err == nil {
		t.Error("a file that must be there may be missing")
	}
	f.Bare = true
	v, trouble, err := f.Start()
	if err != nil || trouble != nil || v.Config.Data != data {
		t.Errorf("%v %v %v", v, trouble, err)
	}
	f.Keep(t.Context(), v)
	if again, err := f.Load(); err != nil || !again.Same(v) {
		t.Errorf("a reload is %v %v: nothing of a file that is not there is kept", again, err)
	}
	write(t, f.Path, "name = \"x\"\n")
	keep(t, f)
	if err := os.Remove(f.Path); err != nil {
		t.Fatal(err)
	}
	if v, trouble, err = f.Start(); err != nil || trouble == nil || v.Config.Name != "x" {
		t.Errorf("a file that was there is gone: %v %v %v", v, trouble, err)
	}
	if _, err := f.Load(); err == nil {
		t.Error("a file that was there is gone, and a reload doesn't mind")
	}
	write(t, f.Path, "nonsense = 1\n")
	if err := os.Remove(filepath.Join(data, goodName)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Start(); err == nil {
		t.Error("a broken file is taken for none")
	}
}
