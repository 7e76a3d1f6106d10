package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// liveRig is a live screen on a glass, inside a bubble of its own time.
type liveRig struct {
	*live
	glass *glass
	news  chan seen
	keys  *io.PipeWriter
	tell  chan os.Signal
	ended chan error
	gone  chan struct{} // closed when it has ended
	raw   int           // how often it was made raw, less how often that was undone
	slept int           // how often it was suspended
}

func newLive(t *testing.T, ctx context.Context, cols, rows int) *liveRig {
	c, _, _ := testCLI("")
	r := &liveRig{glass: newGlass(cols, rows), news: make(chan seen), tell: make(chan os.Signal), ended: make(chan error, 1), gone: make(chan struct{})}
	in, keys := io.Pipe()
	r.keys = keys
	c.in, c.out, c.inTTY, c.outTTY = in, r.glass, true, true
	c.raw = func() (func(), error) { r.raw++; return func() { r.raw-- }, nil }
	c.tty = terminal{
		size:    r.glass.size,
		signals: func() (<-chan os.Signal, func()) { return r.tell, func() {} },
		suspend: func() {
			if err := r.glass.asItWas(); err != nil || r.raw != 0 {
				t.Errorf("suspended with a terminal that is not as it was: %v, raw %d", err, r.raw)
			}
			r.slept++
			r.glass.disturb()
			time.Sleep(time.Hour)
		},
	}
	nothing := func() []string { return nil }
	r.live = &live{c: c, news: r.news, head: nothing, foot: nothing}
	go func() {
		_, err := r.run(ctx)
		r.ended <- err
	}()
	synctest.Wait()
	return r
}

// end makes sure that it ends, and how it leaves the terminal.
func (r *liveRig) end(t *testing.T, want error) {
	t.Helper()
	err := <-r.ended
	close(r.gone)
	_ = r.keys.Close()
	time.Sleep(time.Second) // whoever feeds it ends too
	if !errors.Is(err, want) {
		t.Errorf("ended with %v, want %v", err, want)
	}
	if err := r.glass.asItWas(); err != nil || r.raw != 0 {
		t.Errorf("the terminal is not as it was: %v, raw %d", err, r.raw)
	}
}

// press types a key and waits until it has been obeyed.
func (r *liveRig) press(k byte) {
	_, _ = r.keys.Write([]byte{k})
	synctest.Wait()
}

var shownCountdown = regexp.MustCompile(`web1 .* (\d+)s`)

// TestTheScreenCountsByTheSecond, although answers come at any time and are a bit off.
func TestTheScreenCountsByTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLive(t, t.Context(), 80, 24)
		deadline := time.Now().Add(50 * time.Second)
		go func() {
			for i := range 90 {
				off := time.Duration(i*i*37%900-450) * time.Millisecond
				select {
				case r.news <- seen{p: counting("GRACE", "b-1", time.Until(deadline)+off)}:
					time.Sleep(time.Duration(i*131%500) * time.Millisecond)
				case <-r.gone:
					return
				}
			}
		}()
		time.Sleep(time.Second / 2)
		var got, want []string
		for i := range 20 {
			synctest.Wait()
			got = append(got, strings.Join(shownCountdown.FindStringSubmatch(r.glass.text())[1:], " "))
			want = append(want, fmt.Sprint(50-i))
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("each second (-want +got):\n%s", diff)
		}
		r.press('q')
		r.end(t, nil)
	})
}

// TestTheScreenWithoutAnswers says why, and what was seen last.
func TestTheScreenWithoutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := newLive(t, ctx, 60, 12)
		look := func(want string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, r.glass.text()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		look("asking…\n")
		r.news <- seen{err: errors.New("cannot ask: nobody\x07 answers")}
		look("cannot ask: nobody? answers\n")
		rack := wellRack()
		rack.Nodes = darkRack().Nodes[:1]
		r.news <- seen{p: demoPicture(rack)}
		const table = `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES    CABLE
main  OK     12s  DTR DCD  liebert-powersure

NODE  ROLE     PHASE  STATE  COUNTDOWN  LINK  PROBLEM
web1  compute  GRACE  FAIL   4m12s      up
`
		look(table)
		r.news <- seen{err: errors.New("cannot ask: gone")}
		time.Sleep(4 * time.Second)
		look("cannot ask: gone\n\nwhat was seen 4s ago:\n" + strings.Replace(table, "4m12s", "4m8s ", 1))
		r.news <- seen{p: demoPicture(wellRack())}
		look(wellText)
		cancel()
		r.end(t, nil)
	})
}

// TestTheScreenObeysItsWindow: a new size, Ctrl-L, Ctrl-Z and a stop by others.
func TestTheScreenObeysItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLive(t, t.Context(), 80, 24)
		r.news <- seen{p: demoPicture(crowd(30))}
		synctest.Wait()
		for _, step := range []struct {
			name string
			do   func()
			rows int
		}{
			{"a smaller window", func() { r.glass.resize(40, 10); r.tell <- syscall.SIGWINCH }, 10},
			{"a larger one", func() { r.glass.resize(80, 60); r.tell <- syscall.SIGWINCH }, 41},
			{"Ctrl-L", func() { r.glass.disturb(); r.press(ctrlL) }, 41},
			{"Ctrl-Z", func() { r.press(ctrlZ); time.Sleep(2 * time.Hour) }, 41},
			{"Ctrl-Z again", func() { r.press(ctrlZ); time.Sleep(2 * time.Hour) }, 41},
			{"kill -STOP, and the shell wrote", func() { r.glass.disturb(); r.raw = 0; r.tell <- syscall.SIGCONT }, 41},
			{"an unknown key", func() { r.press('x') }, 41},
		} {
			step.do()
			synctest.Wait()
			text := r.glass.text()
			if rows := strings.Count(text, "\n"); rows != step.rows || !strings.HasPrefix(text, "master rack1") {
				t.Errorf("%s: %d rows, want %d:\n%s", step.name, rows, step.rows, text)
			}
			if !r.glass.taken() || r.raw != 1 {
				t.Errorf("%s: second screen taken %v, raw %d", step.name, r.glass.taken(), r.raw)
			}
		}
		if r.slept != 2 {
			t.Errorf("suspended %d times, want 2", r.slept)
		}
		_ = r.keys.Close() // the terminal is gone
		r.end(t, nil)
	})
}

// TestAPanicLeavesTheTerminal as it was: what it says must be readable.
func TestAPanicLeavesTheTerminal(t *testing.T) {
	c, _, _ := testCLI("")
	g := newGlass(80, 24)
	raw := false
	c.out, c.inTTY, c.outTTY, c.raw = g, true, true, func() (func(), error) { raw = true; return func() { raw = false }, nil }
	l := &live{c: c, head: func() []string { panic("a fault") }}
	defer func() {
		if r := recover(); r != "a fault" {
			t.Errorf("recovered %v", r)
		}
		if err := g.asItWas(); err != nil || raw {
			t.Errorf("the terminal is not as it was: %v, raw %v", err, raw)
		}
	}()
	_, _ = l.run(t.Context())
}

func TestLiveWithoutKeys(t *testing.T) {
	c, out, _ := testCLI("")
	c.inTTY = true
	if _, err := (&live{c: c}).run(t.Context()); err == nil || out.Len() > 0 {
		t.Errorf("%v, wrote %q", err, out)
	}
}
