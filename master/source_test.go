package master

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// TestLaw02APortThatCannotBeReadIsBlind: and never mains, which is what no line
// looks like on many a cable.
func TestLaw02APortThatCannotBeReadIsBlind(t *testing.T) {
	s := newLineSource(line.WatcherOptions{
		Path: filepath.Join(t.TempDir(), "gone"), Cable: line.Cable{Name: "x"}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if got := <-s.Samples(); !got.signals.Blind || got.signals.Reason == "" || len(got.lines) != 0 {
		t.Errorf("%+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
