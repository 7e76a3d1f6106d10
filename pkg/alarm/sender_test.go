package alarm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/daemon"
)

var _ daemon.Task = (*Sender)(nil)

// rig is a Sender in a synctest bubble whose world is a function.
type rig struct {
	*testing.T
	s     *Sender
	start time.Time
	path  string
	stop  func() // and wait

	mu   sync.Mutex
	sent []string
	down map[string]error // by host; "*" for all
	hang map[string]chan struct{}
}

// newRig makes a Sender to the targets of a TOML text; path is its file.
func newRig(t *testing.T, path, text string) *rig {
	t.Helper()
	doc, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	targets := Parse(doc.Root())
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, start: time.Now(), path: path, down: map[string]error{}, hang: map[string]chan struct{}{}, stop: func() {}}
	r.s = New(Options{Targets: targets, Path: path, From: "rack1", Log: slog.New(slog.DiscardHandler)})
	r.s.send = r.send
	for _, b := range r.s.boxes {
		b.spread = func() float64 { return 0 }
	}
	return r
}

func (r *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.s.Run(ctx) }()
	synctest.Wait()
	r.stop = func() {
		r.Helper()
		cancel()
		if err := <-done; err != nil {
			r.Errorf("run: %v", err)
		}
		r.stop = func() {}
	}
	return r
}

func (r *rig) send(ctx context.Context, t Target, n note) error {
	host := t.url.Host
	r.mu.Lock()
	hang, err := r.hang[host], r.down["*"]
	if err == nil {
		err = r.down[host]
	}
	r.mu.Unlock()
	if hang != nil {
		<-hang
	}
	text := fmt.Sprintf("%s %s %s", time.Since(r.start), host, n.Title)
	if n.late > 0 {
		text += " late " + n.late.String()
	}
	if n.lost > 0 {
		text += fmt.Sprintf(" lost %d", n.lost)
	}
	if err != nil {
		text += " FAILED"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, text)
	return err
}

// set says whether a host, or "*", answers.
func (r *rig) set(host string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[host] = err
}

// want compares what was sent since the last call.
func (r *rig) want(all ...string) {
	r.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(all, r.sent); diff != "" {
		r.Errorf("sent (-want +got):\n%s", diff)
	}
	r.sent = nil
}

// problem says what Err is to say; "": nothing.
func (r *rig) problem(want string) {
	r.Helper()
	got := ""
	if err := r.s.Err(); err != nil {
		got = err.Error()
	}
	if got != want {
		r.Errorf("its error\n got %s\nwant %s", got, want)
	}
}

func (r *rig) put(event, title string) { r.s.Put(Message{Event: event, On: "ups/main", Title: title}) }

const (
	one = "[[alarm]]\nto = 'ntfy://a/x'\non = ['fail', 'ok', 'problem', 'clear']\n"
	two = one + "[[alarm]]\nto = 'ntfy://b/x'\non = ['fail']\n"
)

var errDown = errors.New("network is unreachable")

func TestEverybodyIsToldWhatHeWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), two)
		r.put("fail", "before it runs")
		r.run()
		defer r.stop()
		time.Sleep(5 * time.Second)
		r.put("ok", "it is over")
		r.put("grace", "nobody wants it")
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		counts := map[string]int{}
		for _, s := range r.sent {
			counts[s]++
		}
		if diff := cmp.Diff(map[string]int{"0s a before it runs": 1, "0s b before it runs": 1, "5s a it is over": 1}, counts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		r.problem("")
	})
}

// TestWhatCantBeSentIsSentLater: the wait doubles from 5 s to 5 min, the order stays,
// a new message hurries, and what is late says so.
func TestWhatCantBeSentIsSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), one)
		r.set("*", errDown)
		r.run()
		defer r.stop()
		r.put("fail", "power")
		time.Sleep(25 * time.Minute)
		r.want("0s a power FAILED", "5s a power FAILED", "15s a power FAILED", "35s a power FAILED", "1m15s a power late 1m15s FAILED",
			"2m35s a power late 2m35s FAILED", "5m15s a power late 5m15s FAILED", "10m15s a power late 10m15s FAILED",
			"15m15s a power late 15m15s FAILED", "20m15s a power late 20m15s FAILED")
		began := r.start.Format("2006-01-02 15:04 MST")
		r.problem("cannot tell ntfy://a/… since " + began + " (network is unreachable); 1 message waits")
		r.set("*", nil)
		r.put("ok", "back")
		r.problem("cannot tell ntfy://a/… since " + began + " (network is unreachable); 2 messages wait")
		time.Sleep(10 * time.Second)
		r.want("25m5s a power late 25m5s", "25m6s a back")
		r.problem("")
	})
}

func TestASlowOneDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), two)
		free := make(chan struct{})
		r.hang["a"] = free
		r.run()
		r.put("fail", "1")
		r.put("fail", "2")
		time.Sleep(time.Minute)
		r.want("0s b 1", "1s b 2")
		time.Sleep(3 * time.Minute) // past every limit: it hangs, and there is no second attempt
		r.problem("cannot tell ntfy://a/… since " + r.start.Add(22*time.Second).Format("2006-01-02 15:04 MST") + " (the attempt hangs and does not end); 2 messages wait")
		r.want()
		r.mu.Lock()
		delete(r.hang, "a")
		r.mu.Unlock()
		close(free)
		time.Sleep(5 * time.Second)
		r.want("4m0s a 1", "4m1s a 2 late 4m1s")
		r.problem("")
		r.stop()
	})
}

func TestARestartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "sub", "q")
		r := newRig(t, path, two+"[[alarm]]\nto = 'ntfy://gone/x'\n")
		r.set("*", errDown)
		r.run()
		r.put("fail", "one")
		r.put("problem", "two")
		time.Sleep(2 * time.Minute)
		r.stop()
		r = newRig(t, path, two)
		r.run()
		r.put("ok", "three")
		time.Sleep(time.Minute)
		r.stop()
		of := map[string][]string{}
		for _, s := range r.sent {
			host := strings.Fields(s)[1]
			of[host] = append(of[host], s)
		}
		want := map[string][]string{
			"a": {"0s a one late 2m0s", "1s a two late 2m1s", "2s a three"},
			"b": {"0s b one late 2m0s"},
		}
		if diff := cmp.Diff(want, of); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		r = newRig(t, path, two).run()
		time.Sleep(time.Minute)
		r.want() // once is enough
		r.stop()
	})
}

func TestAFloodIsBoundedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), one)
		r.set("*", errDown)
		r.run()
		defer r.stop()
		for i := range boxMax + 9 {
			r.put("fail", fmt.Sprint(i))
			synctest.Wait() // or the first may be on its way
		}
		time.Sleep(time.Second)
		r.problem("")
		r.set("*", nil)
		r.mu.Lock()
		r.sent = nil
		r.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.sent) != boxMax || r.sent[0] != "5s a 9 lost 9" || r.sent[1] != "6s a 10" || r.sent[boxMax-1] != fmt.Sprintf("%ds a %d", boxMax+4, boxMax+8) {
			t.Errorf("%d were sent: %q", len(r.sent), r.sent)
		}
	})
}

// TestAProblemThatWaitsIsNotRepeated: ten days without a network are not ten messages.
func TestAProblemThatWaitsIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), one)
		r.set("*", errDown)
		r.run()
		defer r.stop()
		say := func(event, problem, title string) {
			r.s.Put(Message{Event: event, On: "ups/main", Problem: problem, Title: title})
		}
		say("problem", "blind", "1")
		time.Sleep(time.Second)
		say("problem", "blind", "2")
		say("problem", "cable", "3")
		say("clear", "blind", "4")
		say("problem", "blind", "5")
		say("problem", "blind", "6")
		r.set("*", nil)
		r.mu.Lock()
		r.sent = nil
		r.mu.Unlock()
		time.Sleep(time.Minute)
		r.want("5s a 1", "6s a 3", "7s a 4", "8s a 5")
		say("problem", "blind", "7")
		r.want("1m1s a 7")
	})
}

func TestNothingIsTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		r := newRig(t, path, one)
		r.set("*", errDown)
		r.run()
		r.put("fail", "old")
		time.Sleep(4 * 24 * time.Hour)
		r.stop()
		r = newRig(t, path, one)
		r.set("*", errDown)
		r.run()
		defer r.stop()
		time.Sleep(2 * 24 * time.Hour)
		r.put("fail", "young")
		time.Sleep(2 * 24 * time.Hour)
		if text := r.s.Err().Error(); !strings.HasSuffix(text, "(network is unreachable); 1 message waits, 1 message was given up") {
			t.Error(text)
		}
		r.set("*", nil)
		r.mu.Lock()
		r.sent = nil
		r.mu.Unlock()
		time.Sleep(lastWait)
		synctest.Wait()
		if len(r.sent) != 1 || !strings.HasSuffix(r.sent[0], " lost 1") || !strings.Contains(r.sent[0], "young late 48h") {
			t.Errorf("sent: %q", r.sent)
		}
		r.problem("")
	})
}

// TestWhatIsRefusedBlocksNobody: a message that they will not have is given up after
// five times; an account that is closed keeps everything.
func TestWhatIsRefusedBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), one)
		send := r.s.send
		r.s.send = func(ctx context.Context, t Target, n note) error {
			if err := send(ctx, t, n); err != nil || n.Title != "bad" {
				return err
			}
			return refusal{text: "it answers 400 Bad Request", message: true}
		}
		r.run()
		defer r.stop()
		r.put("fail", "bad")
		r.put("ok", "good")
		time.Sleep(74 * time.Second)
		r.problem("")
		r.want("0s a bad", "5s a bad", "15s a bad", "35s a bad")
		time.Sleep(time.Second)
		r.want("1m15s a bad late 1m15s")
		r.problem("of what ntfy://a/… should be told 1 message was given up (it answers 400 Bad Request)")
		time.Sleep(2 * time.Minute)
		r.want("2m35s a good late 2m35s lost 1")
		r.problem("")
		r.set("*", refusal{text: "it answers 401 Unauthorized"})
		r.put("fail", "later")
		time.Sleep(time.Hour)
		r.set("*", nil)
		r.mu.Lock()
		r.sent = nil
		r.mu.Unlock()
		time.Sleep(lastWait)
		synctest.Wait()
		if len(r.sent) != 1 || !strings.Contains(r.sent[0], "a later late 1h") {
			t.Errorf("sent: %q", r.sent)
		}
	})
}

func TestAReceiverMaySayWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), one)
		r.set("*", refusal{text: "it answers 429", after: 40})
		r.run()
		defer r.stop()
		r.put("fail", "1")
		time.Sleep(20 * time.Second)
		r.put("ok", "2") // no reason to come sooner
		r.set("*", refusal{text: "it answers 429", after: 1 << 30})
		time.Sleep(5 * time.Minute)
		r.want("0s a 1 FAILED", "40s a 1 FAILED")
		r.set("*", nil)
		time.Sleep(time.Minute)
		r.want("5m40s a 1 late 5m40s", "5m41s a 2 late 5m21s")
	})
}

func TestATestIsSentNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, filepath.Join(t.TempDir(), "q"), two+"[[alarm]]\nto = 'ntfy://b/y'\n")
		r.set("*", errDown)
		r.run()
		r.put("ok", "waits")
		time.Sleep(20 * time.Minute)
		r.mu.Lock()
		r.sent = nil
		r.mu.Unlock()
		r.set("*", nil)
		r.set("b", errDown)
		got, err := r.s.Test(t.Context())
		want := []Result{{To: "ntfy://a/…"}, {To: "ntfy://b/…", Err: errDown}, {To: "ntfy://b/… (2)", Err: errDown}}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		synctest.Wait()
		if !slices.Contains(r.sent, "20m0s a waits late 20m0s") {
			t.Errorf("who is reached is not sent what waited: %q", r.sent)
		}
		free := make(chan struct{})
		r.hang["b"] = free
		done := make(chan []Result)
		go func() { got, _ := r.s.Test(context.Background()); done <- got }()
		synctest.Wait()
		if _, err := r.s.Test(t.Context()); !errors.Is(err, ErrTesting) {
			t.Errorf("two at once: %v", err)
		}
		start := time.Now()
		if got := <-done; time.Since(start) != attemptLimit+attemptGrace || got[1].Err == nil {
			t.Errorf("after %s: %v", time.Since(start), got)
		}
		close(free)
		r.stop()
	})
}

// TestTheLastWordIsSent: what is under way when the daemon stops gets 2 s; what does
// not make it is on disk.
func TestTheLastWordIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "q")
		r := newRig(t, path, one)
		took := time.Second
		r.s.send = func(ctx context.Context, _ Target, n note) error {
			select {
			case <-time.After(took):
				r.sent = append(r.sent, n.Title)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r.run()
		r.put("fail", "quick")
		synctest.Wait()
		r.stop()
		r.want("quick")
		r.run()
		took = time.Hour
		time.Sleep(gap)
		r.put("fail", "slow")
		synctest.Wait()
		start := time.Now()
		r.stop()
		if d := time.Since(start); d != goodbye {
			t.Errorf("it took %s to stop", d)
		}
		r = newRig(t, path, one).run()
		synctest.Wait()
		r.stop()
		r.want("0s a slow")
	})
}
