package config

import "strings"

// advice says, for what go-toml calls a fault, what a person should write. The
// first entry whose words occur in go-toml's message counts.
var advice = [...]struct{ words, text string }{
	{"must be quoted", `text without quotes; put text and durations in quotes: "5m"`},
	{"at start of value", `not a value; put text and durations in quotes ("5m"), write true, false or a number without`},
	{"not end of input", `the value is missing; write KEY = VALUE`},
	{"expected newline", `something follows the value; put text and durations in quotes ("5m"), and one key per line`},
	{"expected '=' after key", `a key without a value; write KEY = VALUE`},
	{"expected keyword", `not a value; write true or false, or put text in quotes`},
	{"at start of key", `not a key; every line is KEY = VALUE, [TABLE], [[TABLE]] or a # comment`},
	{"array is incomplete", `the list is not closed; write the missing ]`},
	{"after array value", `two values without a comma; write a comma between the values of a list, or the missing ]`},
	{"inline table is incomplete", `the table is not closed; write the missing }`},
	{"after inline table key-value", `two keys without a comma; write a comma between the keys of { }, or the missing }`},
	{"close array table name", `the table's name is not closed; write [[NAME]]`},
	{"close table name", `the table's name is not closed; write [NAME]`},
	{"cannot have new lines", `the text is not closed; write the missing quote`},
	{"unterminated", `the text is not closed; write the missing quote`},
	{"not terminated", `the text is not closed; write the missing quotes`},
	{"string", `the text holds what it may not; write it as "TEXT", with \\ for a backslash`},
	{"escape", `an escape that TOML does not know; write \\ for a backslash, or put the text in '…'`},
	{"already", `written twice, or as a table and as a value; keep one of them`},
	{"number", `not a number; write it in plain digits, or put text in quotes`},
	{"digit", `not a number; write it in plain digits, or put text in quotes`},
	{"leading zeroes", `not a number; write it without leading zeroes, or put text in quotes`},
	{"date", `not a date; put text in quotes`},
	{"minutes", `not a time; put text and durations in quotes: "5m"`},
	{"seconds", `not a time; put text and durations in quotes: "5m"`},
	{"hour", `not a time; put text and durations in quotes: "5m"`},
	{"time", `not a time; put text and durations in quotes: "5m"`},
	{"control characters", `a control character; remove it`},
	{"should be", `written as a table and as a value; keep one of them`},
}

func advise(msg string) string {
	for _, a := range advice {
		if strings.Contains(msg, a.words) {
			return a.text
		}
	}
	return msg + "; every line is KEY = VALUE, [TABLE], [[TABLE]] or a # comment"
}
