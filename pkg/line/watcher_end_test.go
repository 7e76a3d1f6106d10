package line

import (
	"context"
	"log/slog"
	"os"
	"testing"
)

// TestAWatcherThatNeverBeganHandsThePortOn: two reloads in a row must not close it.
func TestAWatcherThatNeverBeganHandsThePortOn(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got *os.File
	w := NewWatcher(WatcherOptions{Path: os.DevNull, File: f, Log: slog.New(slog.DiscardHandler), OnEnd: func(f *os.File) { got = f }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil || got != f {
		t.Errorf("handed on %v, %v", got, err)
	}
	if _, err := f.Stat(); err != nil {
		t.Error(err)
	}
}
