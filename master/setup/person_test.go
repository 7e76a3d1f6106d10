package setup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// bench is a setup in a bubble, with a person at its terminal and a UPS at its port.
type bench struct {
	*testing.T
	o      Options
	dir    string
	ups    *fakeUPS
	info   line.PortInfo
	master *fakeMaster
	ran    []string // by the service manager
	runErr error

	keys   *io.PipeWriter
	cancel context.CancelFunc
	done   chan error

	mu  sync.Mutex // guards all below
	out bytes.Buffer
	at  int
}

// newBench is of no use outside a bubble.
func newBench(t *testing.T, cable string) *bench {
	t.Helper()
	c, ok := line.Lookup(cable)
	if !ok {
		t.Fatal("no such cable")
	}
	b := &bench{T: t, dir: t.TempDir(), ups: &fakeUPS{cable: c}, master: &fakeMaster{err: errors.New("nobody answers")}}
	b.info = line.PortInfo{Path: "/dev/ttyUSB0", ByID: "/dev/serial/by-id/usb-A", Driver: "ftdi_sio", USB: "0403:6001"}
	b.o = Options{
		Answers: Answers{Config: filepath.Join(b.dir, "master.toml")}, Out: b, Terminal: true, Host: "web1",
		Ports:    func() ([]line.PortInfo, error) { return []line.PortInfo{b.info}, nil },
		Port:     func(string) (line.PortInfo, error) { return b.info, nil },
		Meddlers: func() []line.HeldError { return nil },
		Probe: func(o line.ProbeOptions) Prober {
			return b.ups.open(o)
		},
		Run: func(_ context.Context, argv ...string) (string, error) {
			b.ran = append(b.ran, strings.Join(argv, " "))
			if b.runErr == nil {
				b.master.err = nil
			}
			return "what it said\n", b.runErr
		},
		Master: func(string) Master { return b.master },
		Log:    slog.New(slog.DiscardHandler),
	}
	return b
}

// Write implements io.Writer.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

// start begins the setup.
func (b *bench) start() {
	in, keys := io.Pipe()
	b.o.In, b.keys, b.done = in, keys, make(chan error, 1)
	ctx, cancel := context.WithCancel(b.Context())
	b.cancel = cancel
	b.Cleanup(func() {
		cancel()
		keys.Close()
	})
	go func() { b.done <- Run(ctx, b.o) }()
}

// end waits until the setup has ended, and lets go of it.
func (b *bench) end() error {
	b.Helper()
	err := <-b.done
	b.cancel()
	b.keys.Close()
	synctest.Wait()
	return err
}

// text is all that was said, with single blanks, and what was not heard yet.
func (b *bench) text() (all, fresh string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all = strings.Join(strings.Fields(b.out.String()), " ")
	return all, all[min(b.at, len(all)):]
}

// hear waits, in the bubble's time, until something is said.
func (b *bench) hear(want string) string {
	b.Helper()
	for range 3000 {
		synctest.Wait()
		if _, fresh := b.text(); strings.Contains(fresh, want) {
			before, _, _ := strings.Cut(fresh, want)
			b.at += len(before) + len(want)
			return before
		}
		select {
		case err := <-b.done:
			all, _ := b.text()
			b.Fatalf("it ended (%v) and never said %q:\n%s", err, want, all)
		case <-time.After(100 * time.Millisecond):
		}
	}
	all, _ := b.text()
	b.Fatalf("it never said %q:\n%s", want, all)
	return ""
}

// answer waits for a question and types a line.
func (b *bench) answer(question, with string) {
	b.Helper()
	b.hear(question)
	b.typed(with)
}

func (b *bench) typed(text string) {
	b.Helper()
	if _, err := io.WriteString(b.keys, text+"\n"); err != nil {
		b.Fatal(err)
	}
}

// wrote returns what stands in the file, "" if it is not there.
func (b *bench) wrote() string {
	b.Helper()
	text, err := os.ReadFile(b.o.Config)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.Fatal(err)
	}
	return string(text)
}

// untouched fails the test if setup left anything in the folder but what was there.
func (b *bench) untouched(there ...string) {
	b.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(there, " ") {
		b.Errorf("in the folder: %q, want %q", names, there)
	}
}

// fakeMaster says what it was given.
type fakeMaster struct {
	err      error // of Look
	views    []View
	tokenErr error
}

func (m *fakeMaster) Look(context.Context) ([]View, error) { return m.views, m.err }

func (m *fakeMaster) Token(context.Context) (string, time.Duration, error) {
	return "lw-token", 15 * time.Minute, m.tokenErr
}

// fakeUPS is a UPS behind a cable, and the port that looks at it.
type fakeUPS struct {
	cable        line.Cable
	mu           sync.Mutex // guards all below
	out          line.Lines
	battery, low bool
	forgetful    bool // its driver knows no line before one has changed
	levels       []line.Lines
	changes      chan line.Change
	last         line.Lines
	lost         chan struct{}
}

func (u *fakeUPS) open(o line.ProbeOptions) Prober {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.out = o.Hold
	if o.Cable.Name != "" {
		u.out = o.Cable.Idle()
	}
	u.changes, u.lost = make(chan line.Change, 100), make(chan struct{})
	u.levels = append(u.levels, u.out)
	u.last = u.wires()
	if u.forgetful {
		u.changes <- line.Change{Err: line.ErrSettling}
		u.last = u.out
	}
	u.changes <- line.Change{At: time.Now(), Was: u.last, Lines: u.last}
	return u
}

func (u *fakeUPS) Run(ctx context.Context) error {
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		close(u.changes)
		u.changes = nil
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-u.lost:
		return line.ErrLost
	}
}

func (u *fakeUPS) Changes() <-chan line.Change {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.changes == nil {
		closed := make(chan line.Change)
		close(closed)
		return closed
	}
	return u.changes
}

func (u *fakeUPS) Drive(_ context.Context, levels line.Lines) error {
	u.set(func() {
		u.out = levels
		u.levels = append(u.levels, levels)
	})
	return nil
}

// set changes the UPS and tells what that does to the lines.
func (u *fakeUPS) set(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
	if now := u.wires(); now != u.last && u.changes != nil {
		u.changes <- line.Change{At: time.Now(), Was: u.last, Lines: now}
		u.last = now
	}
}

func (u *fakeUPS) wires() line.Lines {
	in := u.out
	if !u.cable.FedBy(u.out) {
		return in
	}
	for _, s := range []struct {
		term line.Term
		on   bool
	}{{u.cable.OnBattery, u.battery}, {u.cable.LowBattery, u.low}, {u.cable.Present, true}} {
		if s.term.Wired() && s.on != s.term.Low {
			in |= s.term.Line
		}
	}
	return in
}
