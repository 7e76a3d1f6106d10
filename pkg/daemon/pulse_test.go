package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail, hang := make(chan func(), 8), make(chan struct{})
		worker := &Pulse{Name: "the worker", Ask: func(answer func()) { mail <- answer }}
		quick := &Pulse{Name: "the quick one", Ask: func(answer func()) { answer() }}
		within := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			return Answering(ctx, quick, worker)
		}
		// It hangs: who asks hears so in time, and it has one question to answer.
		for range 5 {
			began := time.Now()
			if err := within(time.Second); err == nil || err.Error() != "the worker does not answer" {
				t.Errorf("while it hangs: %v", err)
			}
			if d := time.Since(began); d != time.Second {
				t.Errorf("asking took %s, want 1s", d)
			}
		}
		if len(mail) != 1 {
			t.Fatalf("%d questions wait, want 1", len(mail))
		}
		// It goes on: it answers the old question and the new ones.
		go func() {
			for {
				select {
				case answer := <-mail:
					time.Sleep(10 * time.Millisecond)
					answer()
				case <-hang:
					<-hang
					return
				}
			}
		}()
		for range 3 {
			if err := within(time.Second); err != nil {
				t.Errorf("when it goes on: %v", err)
			}
		}
		// It hangs again: an answer from before is no answer.
		hang <- struct{}{}
		if err := within(time.Second); err == nil {
			t.Error("when it hangs again it answers")
		}
		close(hang)
	})
}
