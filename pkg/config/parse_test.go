package config

import (
	"errors"
	"strings"
	"testing"
)

// TestSyntaxErrors holds place and words of the faults that people make.
func TestSyntaxErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"value without quotes", "a = rack1\n", `1:5: not a value; put text and durations in quotes ("5m"), write true, false or a number without`},
		{"duration without quotes", "x = 1\na = 5m\n", `2:6: text without quotes; put text and durations in quotes: "5m"`},
		{"no value", "a =\n", `1:4: not a value; put text and durations in quotes ("5m"), write true, false or a number without`},
		{"no value at the end", "a =", "1:3: the value is missing; write KEY = VALUE"},
		{"no equals sign", "a\n", "1:2: a key without a value; write KEY = VALUE"},
		{"two on a line", "a = 1 b = 2\n", `1:7: something follows the value; put text and durations in quotes ("5m"), and one key per line`},
		{"quote not closed", "a = \"x\nb = 1\n", "1:7: the text is not closed; write the missing quote"},
		{"quote not closed at the end", `a = "x`, "1:6: the text is not closed; write the missing quote"},
		{"backslash", `a = "C:\q"`, `1:8: an escape that TOML does not know; write \\ for a backslash, or put the text in '…'`},
		{"list not closed", "a = [1, 2\n", "1:10: the list is not closed; write the missing ]"},
		{"no comma", "a = [1 2]\n", "1:8: two values without a comma; write a comma between the values of a list, or the missing ]"},
		{"table not closed", "[a\nb = 1\n", "1:3: the table's name is not closed; write [NAME]"},
		{"array table not closed", "[[a]\nb = 1\n", "1:4: the table's name is not closed; write [[NAME]]"},
		{"inline table not closed", "a = { b = 1\n", "1:12: the table is not closed; write the missing }"},
		{"inline table without comma", "a = { b = 1 c = 2 }\n", "1:13: two keys without a comma; write a comma between the keys of { }, or the missing }"},
		{"truth misspelt", "a = tru\n", "1:5: not a value; write true or false, or put text in quotes"},
		{"leading zero", "a = 05\n", "1:5: not a number; write it without leading zeroes, or put text in quotes"},
		{"key twice", "a = 1\n b = 2\n a = 3\n", "3:2: a: written twice, first in line 1; keep one of them"},
		{"table twice", "[a]\n[b]\n[a]\n", "3:2: a: written twice, first in line 1; keep one of them"},
		{"value and table", "a = 1\n[a]\n", "2:2: a: written twice, first in line 1; keep one of them"},
		{"control character", "a = 1 # \x01\n", "1:9: a control character; remove it"},
		{"not UTF-8", "a = 1\nb = \"\xff\"\n", "2:6: not UTF-8 text; save the file as UTF-8"},
		{"byte order mark", "\xef\xbb\xbfa = 1\n", "1:1: begins with a byte order mark; save the file as UTF-8 without one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f.toml", []byte(tt.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); got != "f.toml:"+tt.want {
				t.Errorf("\ngot  %s\nwant f.toml:%s", got, tt.want)
			}
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) != 1 {
				t.Errorf("%T is no *Error with one problem", err)
			}
		})
	}
}

// TestSyntaxErrorsAreForPeople: the library's words for Go's types and for itself
// stay inside.
func TestSyntaxErrorsAreForPeople(t *testing.T) {
	for _, text := range []string{"a = 0x\n", "a = 1__0\n", "a = 9999999999999999999\n", "a = 2024-13-01\n", "a = 12:99\n", "a.b = 1\na = 2\n", "a = []\n[[a]]\n", "a = {}\n[a]\nb = 1\n", "a = \"\\ud800\"\n", "a = '''x", "= 1\n", ".a = 1\n", "a = +\n", "a = 1.\n", "a = 1e\n", "\ra = 1\n", "a = {b = 1, b = 2}\n"} {
		_, err := Parse("f", []byte(text))
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		for _, bad := range []string{"toml:", "map[", "interface", "int64", "unmarshal", "U+", "%!"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("%q: the error has %q in it: %v", text, bad, err)
			}
		}
		if !strings.Contains(err.Error(), "; ") {
			t.Errorf("%q: the error does not say what to write: %v", text, err)
		}
	}
}
