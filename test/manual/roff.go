package manual

import (
	"fmt"
	"regexp"
	"strings"
)

// roff is a page in the making, in the macros of man(7).
type roff struct{ strings.Builder }

// escape makes text mean itself: a backslash, a dash that is typed, and what begins
// a request at a line's beginning.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	var ascii strings.Builder
	for _, r := range text {
		if r < 0x80 {
			ascii.WriteRune(r)
		} else {
			fmt.Fprintf(&ascii, `\[u%04X]`, r)
		}
	}
	return ascii.String()
}

func (r *roff) line(text string) { r.WriteString(text + "\n") }

// title begins the page. It has no date: the pages say what the programs beside them
// do.
func (r *roff) title(name string, section int) {
	r.line(`.\" Written by go test -rewrite; see test/manual.`)
	r.line(fmt.Sprintf(`.TH %s %d "" "Lastwatt" "Lastwatt"`, escape(strings.ToUpper(name)), section))
	r.line(".nh") // names are not hyphenated
	r.line(".ad l")
}

func (r *roff) section(name string) { r.line(".SH " + name) }

// text writes paragraphs; those that are set in stay as they are.
func (r *roff) text(text string) {
	for i, p := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			r.line(".PP")
		}
		if strings.HasPrefix(p, " ") {
			r.verbatim(p)
			continue
		}
		for _, l := range strings.Split(p, "\n") {
			r.line(escape(strings.TrimSpace(l)))
		}
	}
}

func (r *roff) verbatim(text string) {
	r.line(".RS 4")
	r.line(".nf")
	for _, l := range strings.Split(strings.Trim(text, "\n"), "\n") {
		r.line(escape(strings.TrimPrefix(l, "  ")))
	}
	r.line(".fi")
	r.line(".RE")
}

// item is a head, which is roff already, and text set in below it.
func (r *roff) item(head, text string) {
	r.line(".TP")
	r.line(head)
	if text == "" {
		r.line(`\&`) // or the next head becomes the text
		return
	}
	r.line(escape(text))
}

// list is a section of items, one a line: a word, two blanks, what it is.
func (r *roff) list(title, lines string) {
	if lines == "" {
		return
	}
	r.section(title)
	for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
		head, text, _ := strings.Cut(l, "  ")
		r.item(`\fB`+escape(head)+`\fR`, text)
	}
}

// metavariable is what stands for something else in a usage line.
var metavariable = regexp.MustCompile(`\b[A-Z]{2,}(:[A-Z]+)?\b`)

// synopsis is a command and what may follow it.
func (r *roff) synopsis(command, rest string) {
	r.line(`\fB` + escape(command) + `\fR` + metavariable.ReplaceAllString(escape(rest), `\fI$0\fR`))
}

// also names other pages.
func (r *roff) also(pages []string) {
	if len(pages) == 0 {
		return
	}
	r.section("SEE ALSO")
	for i, p := range pages {
		name, section, _ := strings.Cut(p, "(")
		comma := ","
		if i == len(pages)-1 {
			comma = ""
		}
		r.line(fmt.Sprintf(`.BR %s (%s%s`, escape(name), section, comma))
	}
}
