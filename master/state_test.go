package master

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// stateFile is a state file in memory.
type stateFile []byte

func (f stateFile) Load(v any) error { return json.Unmarshal(f, v) }

// hanging is one on a disk that doesn't answer until the channel is closed.
type hanging chan struct{}

func (f hanging) Load(any) error { <-f; return errors.New("too late") }

// TestLaw01StateOfAnotherBootIsWorthNothing: its moments are of a clock that began
// anew.
func TestLaw01StateOfAnotherBootIsWorthNothing(t *testing.T) {
	file := stateFile(`{"boot":"b1","orders":{"web1":{"kind":1}}}`)
	for boot, want := range map[string]int{"b1": 1, "b2": 0} {
		if s := loadRunState(file, boot, slog.New(slog.DiscardHandler)); len(s.Orders) != want {
			t.Errorf("in boot %s: %+v", boot, s)
		}
	}
}

func TestLaw10MasterBeginsWithoutADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(hanging)
		defer close(hangs)
		begin := time.Now()
		if s := loadRunState(hangs, "b1", slog.New(slog.DiscardHandler)); s.Boot != "" || time.Since(begin) != loadLimit {
			t.Errorf("%+v after %s", s, time.Since(begin))
		}
	})
}
