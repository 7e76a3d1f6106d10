package memrack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// onDisk is a program that reads and writes files of a disk.
type onDisk struct {
	t  *testing.T
	fs journal.FS
}

func (p onDisk) open(path string, flag int) journal.File {
	p.t.Helper()
	f, err := p.fs.Open(path, flag, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// write makes a file and leaves it unsynced.
func (p onDisk) write(path, text string) journal.File {
	p.t.Helper()
	f := p.open(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if _, err := f.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
	return f
}

// keep makes a file that lasts.
func (p onDisk) keep(path, text string) {
	p.t.Helper()
	if err := errors.Join(p.write(path, text).Sync(), p.fs.SyncDir("/d")); err != nil {
		p.t.Fatal(err)
	}
}

// content is a file's, or what is wrong.
func (p onDisk) content(path string) string {
	f, err := p.fs.Open(path, os.O_RDONLY, 0)
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(f); err == nil {
			return string(b)
		}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

func TestADisk(t *testing.T) {
	d := NewDisk()
	p := onDisk{t, d.FS()}
	f := p.write("/d/a", "one")
	_, _ = f.Write([]byte("two"))
	if got := p.content("/d/a"); got != "onetwo" {
		t.Errorf("got %q", got)
	}
	if err := errors.Join(f.Truncate(2), p.fs.Rename("/d/a", "/d/b"), p.fs.Remove("/d/b")); err != nil {
		t.Error(err)
	}
	_ = p.write("/d/b", "new")
	_ = p.write("/d/c", "c")
	fresh := p.open("/d/c", os.O_WRONLY)
	if err := fresh.Truncate(0); err != nil {
		t.Error(err)
	}
	_, err := fresh.Write([]byte("1"))
	_, again := fresh.Write([]byte("2"))
	if got := p.content("/d/c"); got != "12" || err != nil || again != nil {
		t.Errorf("got %q, %v, %v", got, err, again)
	}
	_ = p.write("/d/in/x", "x")
	names, err := p.fs.List("/d")
	if diff := cmp.Diff([]string{"b", "c"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if a, b := p.open("/d/b", os.O_RDONLY), p.open("/d/b", os.O_RDONLY); !p.fs.Same(a, b) || p.fs.Same(a, f) {
		t.Error("two files are one, or one is two")
	}
	for what, err := range map[string]error{
		"open of nothing":   second(p.fs.Open("/d/none", os.O_RDWR, 0)),
		"rename of nothing": p.fs.Rename("/d/none", "/d/x"),
		"remove of nothing": p.fs.Remove("/d/none"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := p.fs.Open("/d/b", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if _, err := p.open("/d/b", os.O_RDWR).Write([]byte("x")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("written over: %v", err)
	}
	if _, err := p.open("/d/b", os.O_RDONLY).Write([]byte("x")); err == nil {
		t.Error("written into what was opened for reading")
	}
	d.Wipe("/d/in")
	if b, err := d.ReadFile("/d/b"); string(b) != "new" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if _, err := d.ReadFile("/d/in/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wiped: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestADiskThatRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*Disk, bool)
		err  error
		want string // what fails
	}{
		"full":      {(*Disk).Fill, syscall.ENOSPC, "[create write]"},
		"read-only": {(*Disk).ReadOnly, syscall.EROFS, "[open create write truncate sync rename remove sync folder]"},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDisk()
			p := onDisk{t, d.FS()}
			p.keep("/d/old", "old")
			f := p.write("/d/new", "new") // not synced, nor is its folder
			all := func() (failed []string) {
				for _, op := range []struct {
					name string
					err  error
				}{
					{"read", second(p.fs.Open("/d/old", os.O_RDONLY, 0))},
					{"open", second(p.fs.Open("/d/old", os.O_RDWR|os.O_CREATE, 0))},
					{"create", second(p.fs.Open("/d/x", os.O_RDWR|os.O_CREATE, 0))},
					{"write", second(f.Write([]byte("1234")))},
					{"truncate", f.Truncate(1)},
					{"sync", f.Sync()},
					{"rename", p.fs.Rename("/d/old", "/d/older")},
					{"back", errors.Join(p.fs.Rename("/d/older", "/d/old"))},
					{"remove", p.fs.Remove("/d/new")},
					{"sync folder", p.fs.SyncDir("/d")},
				} {
					if errors.Is(op.err, c.err) {
						failed = append(failed, op.name)
					}
				}
				return failed
			}
			c.set(d, true)
			if got := fmt.Sprint(all()); got != c.want {
				t.Errorf("failed %s\nwant   %s", got, c.want)
			}
			c.set(d, false)
			if got := all(); got != nil {
				t.Errorf("it works again, and yet %v", got)
			}
		})
	}
}

func TestADiskThatHangs(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*Disk)
		want error
	}{
		"until it works": {func(d *Disk) { d.Hang(false) }, nil},
		"until killed":   {(*Disk).Kill, errKilled},
		"until a crash":  {func(d *Disk) { d.Crash(rand.New(rand.NewPCG(1, 1))) }, errKilled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := NewDisk()
				p := onDisk{t, d.FS()}
				p.keep("/d/a", "a")
				p.keep("/d/b", "b")
				p.keep("/d/z", "z")
				f := p.open("/d/a", os.O_RDWR|os.O_APPEND)
				p.keep("/d/c", "c")
				r := p.open("/d/c", os.O_RDONLY)
				d.Hang(true)
				d.Hang(true)
				done := make(chan time.Duration)
				start := time.Now()
				all := map[string]func() error{
					"open":        func() error { return second(p.fs.Open("/d/b", os.O_RDONLY, 0)) },
					"create":      func() error { return second(p.fs.Open("/d/x", os.O_CREATE|os.O_WRONLY, 0)) },
					"write":       func() error { return second(f.Write([]byte("b"))) },
					"read":        func() error { return second(r.Read(make([]byte, 1))) },
					"truncate":    func() error { return f.Truncate(0) },
					"sync":        f.Sync,
					"rename":      func() error { return p.fs.Rename("/d/z", "/d/y") },
					"list":        func() error { return second(p.fs.List("/d")) },
					"sync folder": func() error { return p.fs.SyncDir("/d") },
				}
				for name, op := range all {
					go func() {
						if err := op(); !errors.Is(err, c.want) {
							t.Errorf("%s: %v", name, err)
						}
						done <- time.Since(start)
					}()
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if _, err := d.ReadFile("/d/a"); err != nil {
					t.Errorf("the judge: %v", err)
				}
				c.end(d)
				for range all {
					if k := <-done; k != time.Hour {
						t.Errorf("waited %s", k)
					}
				}
			})
		})
	}
}

// TestTheDeadWriteNothing: what a killed program has begun does not happen later.
func TestTheDeadWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDisk()
		p := onDisk{t, d.FS()}
		p.keep("/d/a", "a")
		f := p.write("/d/a", "b")
		d.Hang(true)
		done := make(chan error)
		go func() { done <- f.Sync() }()
		synctest.Wait()
		d.Kill()
		if err := <-done; !errors.Is(err, errKilled) {
			t.Error(err)
		}
		d.Hang(false)
		if _, err := f.Write([]byte("c")); !errors.Is(err, errKilled) {
			t.Error(err)
		}
		if err := p.fs.Remove("/d/a"); !errors.Is(err, errKilled) {
			t.Error(err)
		}
		if got := (onDisk{t, d.FS()}).content("/d/a"); got != "ab" {
			t.Errorf("the next one reads %q", got)
		}
		for seed := range uint64(100) { // the sync has not happened either
			if d.Crash(rand.New(rand.NewPCG(seed, 0))); (onDisk{t, d.FS()}).content("/d/a") == "a" {
				return
			}
			onDisk{t, d.FS()}.write("/d/a", "")
		}
	})
}

// TestACrash: what was synced stays, of what was not anything may.
func TestACrash(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(1000) {
		var both [2]string
		for i := range both {
			d := NewDisk()
			p := onDisk{t, d.FS()}
			p.keep("/d/a", "a")
			_ = p.write("/d/a", "bc")
			p.keep("/d/old", "old")
			if err := p.fs.Rename("/d/old", "/d/new"); err != nil {
				t.Fatal(err)
			}
			f := p.write("/d/cut", "12")
			if err := errors.Join(f.Sync(), f.Truncate(1), second(f.Write([]byte("3"))), p.fs.SyncDir("/other")); err != nil {
				t.Fatal(err)
			}
			d.Crash(rand.New(rand.NewPCG(seed, 0)))
			p.fs = d.FS()
			both[i] = fmt.Sprintln(p.content("/d/a"), "|", p.content("/d/old"), "|", p.content("/d/new"), "|", p.content("/d/cut"))
		}
		if both[0] != both[1] {
			t.Fatalf("seed %d: once %s, once %s", seed, both[0], both[1])
		}
		seen[both[0]]++
	}
	const none = "no such file or directory"
	for _, a := range []string{"a", "ab", "abc"} {
		for _, names := range []string{"old | " + none, none + " | old"} {
			for _, cut := range []string{none, "1", "12", "13"} {
				want := fmt.Sprintln(a, "|", names, "|", cut)
				if seen[want] == 0 {
					t.Errorf("never seen: %s", want)
				}
				delete(seen, want)
			}
		}
	}
	for s, n := range seen {
		t.Errorf("%d times %s", n, s)
	}
}

// TestLaw12ARecordWaitsForNoDisk: whatever the disk does, a record costs 1 s at most,
// and is on the disk when that works again.
func TestLaw12ARecordWaitsForNoDisk(t *testing.T) {
	for name, set := range map[string]func(*Disk, bool){"full": (*Disk).Fill, "read-only": (*Disk).ReadOnly, "hangs": (*Disk).Hang} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, before the start %t", name, early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := NewDisk()
					w := journal.NewWriter(journal.WriterOptions{Path: "/d/journal", FS: d.FS(), Log: slog.New(slog.DiscardHandler)})
					set(d, early)
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error, 1)
					go func() { done <- w.Run(ctx) }()
					synctest.Wait()
					record := func(n int) {
						start := time.Now()
						<-w.Record("n", n)
						if k := time.Since(start); k > time.Second {
							t.Errorf("record %d waited %s", n, k)
						}
					}
					record(0)
					set(d, true)
					record(1)
					record(2)
					if w.Err() == nil {
						t.Error("nobody is told")
					}
					if err := d.ReadJournal("/d/journal", func(journal.Entry) error { return nil }); err != nil {
						t.Errorf("the judge: %v", err)
					}
					set(d, false)
					time.Sleep(6 * time.Second)
					record(3)
					cancel()
					if err := <-done; err != nil || w.Err() != nil {
						t.Error(err, w.Err())
					}
					var got []string
					err := d.ReadJournal("/d/journal", func(e journal.Entry) error { got = append(got, string(e.Data)); return nil })
					if diff := cmp.Diff([]string{"0", "1", "2", "3"}, got); diff != "" || err != nil {
						t.Errorf("%v (-want +got):\n%s", err, diff)
					}
				})
			})
		}
	}
}
