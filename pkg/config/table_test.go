package config

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) *Doc {
	t.Helper()
	d, err := Parse("f.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantErr compares the whole report, without the file's name.
func wantErr(t *testing.T, d *Doc, want ...string) {
	t.Helper()
	var got []string
	if err := d.Err(); err != nil {
		got = strings.Split(strings.ReplaceAll(err.Error(), "f.toml:", ""), "\n")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	d := parse(t, `
s = "text"
l = ["a", "b"]
none = []
b = true
i = -3
d = "1h30m"
w = "never"
w2 = "5s"
dotted.key = "x"
in = { line = "y", deep = { er = 1 } }
[tab]
s = "z"
`)
	r := d.Root()
	if got := r.String("s", "no"); got != "text" {
		t.Errorf("String: %q", got)
	}
	if got := r.Strings("l"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Strings: %q", got)
	}
	if got := r.Strings("none", "def"); got == nil || len(got) != 0 {
		t.Errorf("an empty list is not the default: %q", got)
	}
	if !r.Bool("b", false) || r.Int("i", 0, -5, 5) != -3 || r.Duration("d", 0, 0, 2*time.Hour) != 90*time.Minute {
		t.Error("Bool, Int or Duration")
	}
	if d, w := r.DurationOr("w", "1s", 0, time.Hour, "never"); d != 0 || w != "never" {
		t.Errorf("DurationOr, a word: %v %q", d, w)
	}
	if d, w := r.DurationOr("w2", "never", 0, time.Hour, "never"); d != 5*time.Second || w != "" {
		t.Errorf("DurationOr, a duration: %v %q", d, w)
	}
	if got := r.Table("dotted").String("key", ""); got != "x" {
		t.Errorf("dotted key: %q", got)
	}
	in := r.Table("in")
	if in.String("line", "") != "y" || in.Table("deep").Int("er", 0, 0, 9) != 1 || in.Table("deep").Path() != "in.deep" {
		t.Error("inline tables")
	}
	if !r.HasTable("in") || !r.HasTable("tab") || r.HasTable("s") || r.HasTable("nope") || !r.Has("s") || r.Has("nope") {
		t.Error("Has or HasTable")
	}
	if got := r.Table("tab").String("s", ""); got != "z" {
		t.Errorf("table: %q", got)
	}
	wantErr(t, d)
}

func TestDefaults(t *testing.T) {
	d := parse(t, "")
	r := d.Root()
	if r.String("a", "x") != "x" || !r.Bool("b", true) || r.Int("c", 7, 0, 9) != 7 || r.Duration("d", time.Second, 0, 0) != time.Second {
		t.Error("a default got lost")
	}
	if d, w := r.DurationOr("e", "never", 0, 0, "never"); d != 0 || w != "never" {
		t.Errorf("DurationOr: %v %q", d, w)
	}
	if d, w := r.DurationOr("e", "5m", 0, 0, "never"); d != 5*time.Minute || w != "" {
		t.Errorf("DurationOr: %v %q", d, w)
	}
	if got := r.Strings("f", "p", "q"); !slices.Equal(got, []string{"p", "q"}) {
		t.Errorf("Strings: %q", got)
	}
	if got := r.Table("g").Table("h").String("i", "deep"); got != "deep" {
		t.Errorf("a table that is not there: %q", got)
	}
	if got := r.Tables("j"); got != nil {
		t.Errorf("Tables: %v", got)
	}
	wantErr(t, d)
}

// TestWrongValues: each is reported at its key, and the default returned.
func TestWrongValues(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		get        func(r *Table) bool // whether the default came back
		want       string
	}{
		{"text: a number", "k = 5", func(r *Table) bool { return r.String("k", "x") == "x" }, `1:1: k: found the number 5; write text in quotes: "…"`},
		{"text: a float", "k = 0.5", func(r *Table) bool { return r.String("k", "x") == "x" }, `1:1: k: found the number 0.5; write text in quotes: "…"`},
		{"text: a date", "k = 2024-01-02", func(r *Table) bool { return r.String("k", "x") == "x" }, `1:1: k: found a date or time; write text in quotes: "…"`},
		{"text: a list", "k = []", func(r *Table) bool { return r.String("k", "x") == "x" }, `1:1: k: found a list; write text in quotes: "…"`},
		{"choice", `k = "z"`, func(r *Table) bool { return r.Choice("k", "x", "x", "y") == "x" }, `1:1: k: "z" is not known here; write "x" or "y"`},
		{"choices, at the element", "k = [\"x\",\n  \"z\"]", func(r *Table) bool { return r.Choices("k", []string{"y"}, "x", "y", "w")[0] == "y" }, `2:3: k: "z" is not known here; write "x", "y" or "w"`},
		{"truth: text", `k = "yes"`, func(r *Table) bool { return r.Bool("k", true) }, `1:1: k: found the text "yes"; write true or false, without quotes`},
		{"number: text", `k = "5"`, func(r *Table) bool { return r.Int("k", 1, 0, 9) == 1 }, `1:1: k: found the text "5"; write a whole number, without quotes`},
		{"number: low", `k = -1`, func(r *Table) bool { return r.Int("k", 1, 0, 9) == 1 }, `1:1: k: -1 is too small; write a number from 0 to 9`},
		{"number: low without a top", `k = -1`, func(r *Table) bool { return r.Int("k", 1, 0, math.MaxInt) == 1 }, `1:1: k: -1 is too small; write 0 or more`},
		{"number: high", `k = 10`, func(r *Table) bool { return r.Int("k", 1, 0, 9) == 1 }, `1:1: k: 10 is too large; write a number from 0 to 9`},
		{"duration: number", `k = 5`, func(r *Table) bool { return r.Duration("k", 1, 0, 9) == 1 }, `1:1: k: found the number 5; write a duration in quotes such as "90s" or "5m"`},
		{"duration: no unit", `k = "5"`, func(r *Table) bool { return r.Duration("k", 1, 0, 9) == 1 }, `1:1: k: "5" is not a duration: the unit is missing (ms, s, m, h); write a duration in quotes such as "90s" or "5m"`},
		{"duration: low", `k = "1s"`, func(r *Table) bool { return r.Duration("k", 1, 90*time.Second, time.Hour) == 1 }, `1:1: k: "1s" is too short; write "1m30s" or longer`},
		{"duration: high", `k = "2h"`, func(r *Table) bool { return r.Duration("k", 1, 0, time.Hour) == 1 }, `1:1: k: "2h" is too long; write "1h" or shorter`},
		{"duration or word", `k = "nevr"`, func(r *Table) bool { _, w := r.DurationOr("k", "never", 0, 9, "never"); return w == "never" }, `1:1: k: "nevr" is not a duration; write a duration in quotes such as "90s" or "5m", or "never"`},
		{"list: text", `k = "x"`, func(r *Table) bool { return r.Strings("k") == nil }, `1:1: k: found the text "x"; write a list of texts: ["…", "…"]`},
		{"list: of lists", `k = [["x"]]`, func(r *Table) bool { return r.Strings("k") == nil }, `1:1: k: found a list in the list; write a list of texts: ["…", "…"]`},
		{"table: text", `k = "x"`, func(r *Table) bool { return r.Table("k").String("l", "d") == "d" && r.Table("k") != nil }, `1:1: k: found the text "x"; write a table: [k]`},
		{"table: list", "[[k]]\nl = 1", func(r *Table) bool { return !r.Table("k").Has("l") }, "1:3: k: found a list; write a table: [k]"},
		{"tables: one", "[k]\nl = 1", func(r *Table) bool { return r.Tables("k") == nil }, "1:2: k: found a table; write [[k]], once for each of them"},
		{"tables: mixed", "k = [{l = 1}, 2]", func(r *Table) bool { return r.Tables("k") == nil }, "1:1: k: found a list; write [[k]], once for each of them"},
		{"absolute path", `k = "x"`, func(r *Table) bool { return r.AbsPath("k", "/d") == "/d" }, `1:1: k: "x" does not begin with /; write a full path such as "/d"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, tt.text)
			if !tt.get(d.Root()) {
				t.Error("the default was not returned")
			}
			wantErr(t, d, tt.want)
			if !d.Root().Wrong("k") || d.Root().Wrong("other") {
				t.Error("Wrong does not tell")
			}
		})
	}
}

// TestUnknownKeys: strictness is structural, in every kind of table.
func TestUnknownKeys(t *testing.T) {
	d := parse(t, `nmae = 1
name = "x"
[server]
a = 1
[server.deep]
b = 2
[[ups]]
name = "one"
portt = "x"
settle = { fail = "1s", fial = "2s" }
battery.runtim = "1s"
[[ups]]
color = "x"
[ups.settle]
listen = "y"
[known]
"a key" = 1
`)
	r := d.Root()
	r.String("name", "")
	r.String("listen", "")
	for _, u := range r.Tables("ups") {
		u.String("name", "")
		u.String("port", "")
		u.Table("settle").String("fail", "")
		u.Table("battery").String("runtime", "")
	}
	r.Table("known")
	wantErr(t, d,
		"1:1: nmae: unknown key; did you mean name?",
		"3:2: server: unknown key; known here: known, listen, name, ups",
		"9:1: ups.portt: unknown key; did you mean port?",
		"10:25: ups.settle.fial: unknown key; did you mean fail?",
		"11:9: ups.battery.runtim: unknown key; did you mean runtime?",
		"13:1: ups.color: unknown key; known here: battery, name, port, settle",
		"15:1: ups.settle.listen: unknown key; it belongs at the top of the file, before the first [table]",
		`17:1: known."a key": unknown key; nothing can be written here, remove it`,
	)
}

// TestNobodyAsked: a table that was fetched and not read is not a table that was read.
func TestNobodyAsked(t *testing.T) {
	d := parse(t, "a = { b = 1 }\n")
	wantErr(t, d, "1:1: a: unknown key; nothing can be written here, remove it")
	d.Root().Has("a")
	d.Root().Table("a")
	wantErr(t, d, "1:7: a.b: unknown key; nothing can be written here, remove it")
	d.Root().Table("a").Int("b", 0, 0, 9)
	wantErr(t, d)
}

// TestErrorsOfReaders: what the keys' owner finds is placed like the rest, and the
// same words twice are said once.
func TestErrorsOfReaders(t *testing.T) {
	d := parse(t, "[t]\nk = [\"a\",\n \"b\"]\n")
	tab := d.Root().Table("t")
	tab.ErrorAt("k", 1, "%s is bad; write c", "b")
	tab.ErrorAt("k", 7, "out of range")
	tab.Errorf("gone", "missing; write gone = 1")
	tab.Errorf("gone", "missing; write gone = 1")
	d.Root().Table("none").Errorf("x", "missing")
	wantErr(t, d,
		"1:1: none.x: missing",
		"1:2: t.gone: missing; write gone = 1",
		"2:1: t.k: out of range",
		"3:2: t.k: b is bad; write c",
	)
}

// TestPick: a reader that knows too much makes nothing known but what was picked.
func TestPick(t *testing.T) {
	d := parse(t, "other = 1\n[[hook]]\na = 1\nb = 2\n")
	v := d.Root().Pick("hook")
	if v.Has("other") || v.Table("policy").Has("grace") {
		t.Error("the view shows more than was picked")
	}
	for _, h := range v.Tables("hook") {
		h.Int("a", 0, 0, 9)
	}
	wantErr(t, d,
		"1:1: other: unknown key; known here: hook",
		"4:1: hook.b: unknown key; known here: a",
	)
}

func TestAddresses(t *testing.T) {
	for s, ok := range map[string]bool{
		":8493": true, "10.0.0.1:1": true, "[::1]:65535": true, "web-1.example.org:80": true, "[fe80::1%eth0]:80": true,
		"": false, "8493": false, ":": false, ":0": false, ":65536": false, ":http": false, ":+80": false, ":080": false,
		"a b:80": false, "::1:80": false, "-a:80": false, "a..b:80": false, "http://a:80": false, "/run/x": false,
	} {
		if err := checkAddress(s, false); (err == nil) != ok {
			t.Errorf("%q: %v, want ok %v", s, err, ok)
		}
	}
	if CheckHostPort(":80") == nil || CheckHostPort("a:80") != nil {
		t.Error("an address to connect to needs a host, and no more")
	}
	d := parse(t, "l = \"\"\ns = \"/"+strings.Repeat("x", 107)+"\"\n")
	if d.Root().Listen("l", ":1", true) != "" {
		t.Error("off is off")
	}
	if d.Root().SocketPath("s", "/d") != "/d" {
		t.Error("a socket's path is at most 107 letters")
	}
	wantErr(t, d, "2:1: s: 108 letters are too long for a socket; write a path of at most 107")
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "name", "batlow_grace", "on"}
	for in, want := range map[string]string{
		"lsiten": "listen", "lisen": "listen", "Listen": "listen", "listeners": "", "nam": "name",
		"batlow_grase": "batlow_grace", "batlowgrace": "batlow_grace", "zz": "", "": "", "no": "on",
		strings.Repeat("x", 100): "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		time.Hour + time.Second: "1h0m1s", 70 * time.Minute: "1h10m", 10 * time.Minute: "10m", 250 * time.Millisecond: "250ms",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", time.Duration(d), got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%q does not mean %v", want, d)
		}
	}
}
