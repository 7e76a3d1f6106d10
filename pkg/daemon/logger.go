package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// NewLogger returns a logger on w: text if w is a terminal, JSON otherwise.
// Under journald there is no time in the lines, since journald keeps its own.
// A line costs its caller at most 100 ms if w hangs, and then no longer anything.
func NewLogger(w *os.File) *slog.Logger {
	opts := &slog.HandlerOptions{}
	if isJournal(w, os.Getenv("JOURNAL_STREAM")) {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	build := func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, opts) }
	if term.IsTerminal(int(w.Fd())) {
		build = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, opts) }
	}
	return slog.New(patient(w, build))
}

// isJournal reports whether w is the very stream that systemd connected to the
// journal: stream is its "device:inode" (JOURNAL_STREAM, systemd.exec(5)).
func isJournal(w *os.File, stream string) bool {
	if stream == "" {
		return false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(w.Fd()), &st); err != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
