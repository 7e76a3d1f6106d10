package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// width is what fits on every terminal.
const width = 78

// MissingError says that a question could not be asked, and which flag answers it.
type MissingError struct{ What, Flag string }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("cannot ask %s: standard input is no terminal, or has ended; write %s", e.What, e.Flag)
}

// terminal asks and tells.
type terminal struct {
	out    io.Writer
	person bool        // somebody is there to answer
	yes    bool        // what has a default is not asked
	typed  chan string // closed at the end of input
}

// newTerminal begins to read what is typed, if anybody types. The goroutine ends with
// the input or with ctx.
func newTerminal(ctx context.Context, in io.Reader, out io.Writer, person, yes bool) *terminal {
	t := &terminal{out: out, person: person, yes: yes, typed: make(chan string)}
	if !person {
		close(t.typed)
		return t
	}
	go func() {
		defer close(t.typed)
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			select {
			case t.typed <- strings.TrimSpace(lines.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return t
}

// say writes a paragraph.
func (t *terminal) say(format string, args ...any) {
	fmt.Fprint(t.out, wrap(fmt.Sprintf(format, args...), ""))
}

// item writes a paragraph of a list.
func (t *terminal) item(format string, args ...any) {
	fmt.Fprint(t.out, wrap(fmt.Sprintf(format, args...), "    "))
}

// gap separates one step from the next.
func (t *terminal) gap() { fmt.Fprintln(t.out) }

// wrap breaks text between words, and makes it harmless for a terminal. Lines after
// the first are indented.
func wrap(text, indent string) string {
	var b strings.Builder
	col := 0
	for i, word := range strings.Fields(text) {
		word = harmless(word)
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case col+1+n > width:
			b.WriteString("\n" + indent)
			col = len(indent)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
	}
	b.WriteByte('\n')
	return b.String()
}

// harmless replaces what could move a cursor: names of files and devices are shown.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// question is one thing to find out.
type question struct {
	what  string // "the port", for whom it can't be asked
	text  string
	flag  string // answers it without asking: "--port PATH"
	given string // by the flag; "": not given
	def   string // what Enter means; "": there is no default
	// check turns an answer into its proper form, or says what to write instead.
	check func(string) (string, error)
}

// ask returns the answer: the flag's, the default where nobody is to be asked, else
// what is typed, asked again until it is good.
func (t *terminal) ask(ctx context.Context, q question) (string, error) {
	if q.check == nil {
		q.check = func(s string) (string, error) { return s, nil }
	}
	if q.given != "" {
		s, err := q.check(q.given)
		if err != nil {
			return "", fmt.Errorf("%s: %w", q.flag, err)
		}
		return s, nil
	}
	if q.def != "" && (t.yes || !t.person) {
		return q.check(q.def)
	}
	if !t.person {
		return "", &MissingError{q.what, q.flag}
	}
	for {
		typed, err := t.prompt(ctx, q)
		if err != nil {
			return "", err
		}
		answer, err := q.check(typed)
		if err == nil {
			return answer, nil
		}
		t.say("That will not do: %v", err)
	}
}

// prompt asks once.
func (t *terminal) prompt(ctx context.Context, q question) (string, error) {
	ask := q.text
	if q.def != "" {
		ask += " [" + q.def + "]"
	}
	fmt.Fprint(t.out, strings.TrimSuffix(wrap(ask, ""), "\n")+": ")
	select {
	case typed, ok := <-t.typed:
		if !ok {
			fmt.Fprintln(t.out)
			return "", &MissingError{q.what, q.flag}
		}
		if typed == "" {
			typed = q.def
		}
		return typed, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// errYesOrNo is what confirm says of anything else.
var errYesOrNo = errors.New("write y or n")

// confirm asks a yes or no. flag answers yes. Where nobody can be asked the answer is
// no error only if def is "y".
func (t *terminal) confirm(ctx context.Context, text, what, flag string, given bool, def string) (bool, error) {
	q := question{what: what, text: text + " (y/n)", flag: flag, check: func(s string) (string, error) {
		switch strings.ToLower(s) {
		case "y", "yes":
			return "y", nil
		case "n", "no":
			return "n", nil
		}
		return "", errYesOrNo
	}}
	if given {
		return true, nil
	}
	if def == "y" || t.person && !t.yes {
		q.def = def
	}
	answer, err := t.ask(ctx, q)
	return answer == "y", err
}
