package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// readAll asks for keys of every kind.
func readAll(d *Doc) any {
	type item struct {
		Name string
		Wait time.Duration
		Run  []string
		Has  bool
	}
	type all struct {
		Name, Mode, Word string
		Up               time.Duration
		N                int
		On               bool
		List, Pair       []string
		Deep             string
		Items            []item
	}
	t := d.Root()
	var c all
	c.Name = t.String("name", "host")
	c.N = t.Int("n", 3, 0, 99)
	c.On = t.Bool("on", true)
	c.List = t.Strings("list")
	c.Pair = t.Choices("pair", []string{"a", "b"}, "a", "b")
	sub := t.Table("sub")
	c.Mode = sub.Choice("mode", "slow", "slow", "quick")
	c.Up, c.Word = sub.DurationOr("up", "never", 0, time.Hour, "never")
	c.Deep = sub.Table("deep er").String("x", "\t\"\\\u009b")
	for _, i := range t.Tables("item") {
		it := item{Name: i.String("name", ""), Run: i.Strings("run"), Wait: i.Table("limits").Duration("wait", 90*time.Second, 0, time.Hour)}
		it.Has = i.Has("unit")
		if it.Has {
			it.Name += i.String("unit", "")
		}
		c.Items = append(c.Items, it)
	}
	if t.Has("maybe") {
		c.Name += t.Table("maybe").String("y", "")
	}
	t.Pick("item").Bool("elsewhere", true)
	return c
}

func TestEffective(t *testing.T) {
	const text = `item = [{ name = "one" }, { name = "two", run = ["/x", "y z"], unit = "u" }]
list = []
"n" = 0x10
[sub."deep er"]
x = 'é"'
[sub]
up = "1h"
`
	const want = `name = "host"                           # default
n = 16
on = true                               # default
list = []
pair = ["a", "b"]                       # default

[[item]]
name = "one"
run = []                                # default

[item.limits]
wait = "1m30s"                          # default

[[item]]
name = "two"
run = ["/x", "y z"]
unit = "u"

[item.limits]
wait = "1m30s"                          # default

[sub]
mode = "slow"                           # default
up = "1h"

[sub."deep er"]
x = "é\""
`
	for _, tt := range []struct{ name, text, want string }{
		{"much", text, want},
		{"little", "[maybe]\n", `name = "host"                           # default
n = 3                                   # default
on = true                               # default
list = []                               # default
pair = ["a", "b"]                       # default

[maybe]
y = ""                                  # default

[sub]
mode = "slow"                           # default
up = "never"                            # default

[sub."deep er"]
x = "\t\"\\\u009B"                      # default
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, first := readText(t, tt.text)
			got := doc.Effective(nil)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, second := readText(t, got)
			if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("it says something else (-file +effective):\n%s", diff)
			}
			if text := again.Effective(nil); strings.Contains(text, "# default") {
				t.Errorf("every key was there, and some are said to be defaults:\n%s", text)
			}
		})
	}
}

func readText(t *testing.T, text string) (*Doc, any) {
	t.Helper()
	doc, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := readAll(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	return doc, c
}

func TestEffectiveShowsWhatItMay(t *testing.T) {
	doc, _ := readText(t, "name = \"token\"\n[[item]]\nname = \"x\"\nrun = [\"secret\"]\n")
	got := doc.Effective(func(key, text string) string {
		if key == "name" || key == "item.run" {
			return "***"
		}
		return text
	})
	if strings.Contains(got, "token") || strings.Contains(got, "secret") || !strings.Contains(got, "run = [\"***\"]") || !strings.Contains(got, "name = \"x\"") {
		t.Error(got)
	}
}

func TestWarningsAreNoMistakes(t *testing.T) {
	doc, _ := readText(t, "list = [\n \"a\",\n \"b\"]\n")
	root := doc.Root()
	root.Warn("list", 1, "is %s", "late")
	root.Warn("list", -1, "is there")
	root.Warn("name", 0, "is not there")
	if err := doc.Err(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, w := range doc.Warnings() {
		got = append(got, w.String())
	}
	if diff := cmp.Diff([]string{"f:1:1: list: is there", "f:1:1: name: is not there", "f:3:2: list: is late"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
