package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Duration returns the duration at key, written as text ("90s", "5m", "1h30m"),
// from lo to hi inclusive.
func (t *Table) Duration(key string, def, lo, hi time.Duration) time.Duration {
	d, _, ok := t.duration(key, lo, hi)
	if !ok {
		t.defaults(key, FormatDuration(def))
		return def
	}
	return d
}

// DurationOr is Duration for keys that take a word as well ("never", "batlow",
// ""). def is what an absent or wrong key means, as it would be written: a
// duration or one of words. It returns the duration, or a word and 0.
func (t *Table) DurationOr(key, def string, lo, hi time.Duration, words ...string) (d time.Duration, word string) {
	if d, word, ok := t.duration(key, lo, hi, words...); ok {
		return d, word
	}
	t.defaults(key, def)
	if slices.Contains(words, def) {
		return 0, def
	}
	d, err := time.ParseDuration(def)
	if err != nil {
		panic("config: the default of " + t.join(key) + " is no duration: " + def) // a mistake in the program
	}
	return d, ""
}

// duration reads the duration or word at key; not ok: absent or wrong.
func (t *Table) duration(key string, lo, hi time.Duration, words ...string) (d time.Duration, word string, ok bool) {
	n := t.ask(key)
	if n == nil {
		return 0, "", false
	}
	want := `a duration in quotes such as "90s" or "5m"`
	for _, w := range words {
		want += ", or " + strconv.Quote(w)
	}
	s, isText := n.val.(string)
	if !isText {
		t.wrong(key, n, want)
		return 0, "", false
	}
	if slices.Contains(words, s) {
		return 0, s, true
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.Errorf(key, "%q is not a duration%s; write %s", s, why(s), want)
	case d < lo:
		t.Errorf(key, "%q is too short; write %q or longer", s, FormatDuration(lo))
	case d > hi:
		t.Errorf(key, "%q is too long; write %q or shorter", s, FormatDuration(hi))
	default:
		return d, "", true
	}
	return 0, "", false
}

// why names the two mistakes that people make.
func why(s string) string {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return ": the unit is missing (ms, s, m, h)"
	}
	if strings.HasSuffix(s, "d") {
		return ": there are no days, a day is 24h"
	}
	return ""
}

// FormatDuration returns d as a person writes it: "5m", not "5m0s".
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
