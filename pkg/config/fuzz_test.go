package config

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzParse: no text makes it panic, every problem lies inside the file and fits
// on a line, and nothing that a terminal would obey gets through.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"../../deploy/master.toml", "../../deploy/agent.toml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{
		"", "a", "a =", "a = 1\na = 2", "[a]\n[a]", "[[a]]\n[a.b]\nc = 1", "a = [[1], {b = 2}, 'x']", "a = {b = {c = [1, 2]}}",
		"a.b.c = 1\na.b.d = 2", "\"\\u001b\" = 1", "a = \"\"\"\nx\n\"\"\"", "ups = [1]", "[ups.x]\n[[ups]]", "a = 5m", "[[ups]]\nsettle = 5",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("f", data)
		if err == nil {
			ask(d.Root(), 3)
			err = d.Err()
		}
		if err == nil {
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		lines := strings.Split(string(data), "\n")
		last := Problem{}
		for _, p := range e.Problems {
			if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len(lines[p.Line-1])+1 {
				t.Fatalf("%v lies outside the file", p)
			}
			if p.Line < last.Line || p.Line == last.Line && p.Col < last.Col {
				t.Fatalf("%v comes after %v", p, last)
			}
			last = p
			if s := p.String(); !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Fatalf("%q is not for a terminal", s)
			}
		}
	})
}

// ask asks for the keys of the seeds in every way.
func ask(t *Table, depth int) {
	for _, key := range []string{"a", "b", "c", "ups", "settle"} {
		_ = t.String(key, "")
		t.Strings(key)
		t.Choices(key, nil, "x")
		t.Bool(key, false)
		t.Int(key, 0, 0, 9)
		t.DurationOr(key, "1s", 0, time.Minute, "x")
		t.Listen(key, ":1", true)
		t.SocketPath(key, "/x")
		t.ErrorAt(key, 0, "x")
		if depth > 0 {
			ask(t.Table(key), depth-1)
			for _, e := range t.Tables(key) {
				ask(e, depth-1)
			}
		}
	}
}
