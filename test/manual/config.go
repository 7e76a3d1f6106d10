package manual

import (
	"fmt"
	"regexp"
	"strings"
)

// The lines of a commented reference. What is commented out counts as if it were not.
var (
	tableLine = regexp.MustCompile(`^\s*(?:#\s*)?(\[{1,2}[a-z_.]+\]{1,2})\s*$`)
	keyLine   = regexp.MustCompile(`^\s*(?:#\s*)?([a-z_]+\s*= (?:"[^"]*"|\[[^\]]*\]|\{.*\}|[^#"\[{]\S*))\s*(?:#\s*(.*))?$`)
	textLine  = regexp.MustCompile(`^\s*#\s?(.*)$`)
)

// configPage is the page of a configuration file, from its reference in deploy.
func configPage(name, daemon, reference string) string {
	var r roff
	r.title(name, 5)
	r.section("NAME")
	r.line(escape(name) + ` \- configuration of ` + daemon)
	r.section("DESCRIPTION")
	var said []string // text that belongs to what comes next
	tell := func() {
		if len(said) > 0 {
			r.line(".PP")
			r.text(strings.Join(said, "\n"))
		}
		said = nil
	}
	for line := range strings.Lines(reference) {
		line = strings.TrimRight(line, "\n")
		switch table, key, text := tableLine.FindStringSubmatch(line), keyLine.FindStringSubmatch(line), textLine.FindStringSubmatch(line); {
		case table != nil:
			r.line(".SS " + escape(table[1]))
			tell()
		case key != nil:
			tell()
			words := strings.Fields(key[1])
			r.item(fmt.Sprintf(`\fB%s\fR = %s`, escape(words[0]), escape(strings.Join(words[2:], " "))), key[2])
		case text != nil && text[1] != "":
			said = append(said, text[1])
		case line == "" || text != nil:
			tell()
		default:
			said = append(said, "?"+line) // a test looks for this
		}
	}
	tell()
	r.section("FILES")
	r.item(`\fI/etc/lastwatt/`+escape(strings.TrimPrefix(name, "lastwatt-"))+`\fR`, "where "+daemon+" looks, unless --config names another")
	r.also([]string{daemon + "(1)", "upsctl-check(1)"})
	return r.String()
}
