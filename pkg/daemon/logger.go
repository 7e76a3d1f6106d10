package daemon

import (
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// NewLogger returns a logger on w: text if w is a terminal, JSON otherwise.
// Under journald there is no time in the lines, since journald keeps its own.
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
	if term.IsTerminal(int(w.Fd())) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
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
