package alarm

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Test is the event of a message that only tries whether it arrives; it goes to
// everybody, whatever they want to be told.
const Test = "test"

// Message is one thing to tell.
type Message struct {
	// Event is one of problem, clear, fail, batlow, ok, grace, cancel, commit, report,
	// test.
	Event string `json:"event"`
	// On is what it is about: "ups/main", "node/web1", "master/rack1".
	On string `json:"on,omitempty"`
	// Own: it is for those who are told [Target.About] On, and for nobody else.
	Own bool `json:"-"`
	// Problem is its name, where the event is problem or clear.
	Problem string `json:"problem,omitempty"`
	// Title is one line, without the daemon's name; Text says more.
	Title string `json:"title"`
	Text  string `json:"text,omitempty"`
	// Wall is when it happened, for people; zero: when it was put.
	Wall time.Time `json:"wall"`
}

const (
	// Both are shown on telephones. The text fits, with what is added to it, into the
	// smallest room that a receiver has: 2000 characters (Discord).
	titleMax = 120
	textMax  = 1400
	// lateAfter is when a message is so late that it says so.
	lateAfter = time.Minute
	// lateMax is the longest lateness that the wall clock is believed for: more is a
	// board without a clock that has just been told the time.
	lateMax = 31 * 24 * time.Hour
)

// tidy makes m fit to be told: texts come from other machines and end in headers,
// terminals and chats.
func (m Message) tidy(now time.Time) Message {
	m.Event, m.On, m.Problem = oneLine(m.Event, titleMax), oneLine(m.On, titleMax), oneLine(m.Problem, titleMax)
	if m.Title == "" {
		m.Title = strings.TrimSpace(m.Problem + " " + m.Event + ": " + m.On)
	}
	m.Title, m.Text = oneLine(m.Title, titleMax), cut(clean(m.Text, true), textMax)
	if m.Wall.IsZero() {
		m.Wall = now
	}
	return m
}

// oneLine is clean text without line ends, of at most most characters.
func oneLine(s string, most int) string { return cut(clean(s, false), most) }

// clean replaces everything that is not shown: what moves a cursor, ends a header or
// turns the direction of writing.
func clean(s string, lines bool) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r), lines && r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return '?'
		}
	}, s))
}

// cut shortens s to n characters, the last being "…" if any had to go.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// note is a message on its way to one receiver.
type note struct {
	Message
	id   string        // the same each time it is tried
	from string        // the daemon's name
	late time.Duration // 0: in time
	lost int           // how many before it could not be kept
}

// heading is the line that says who says what.
func (n note) heading() string {
	if n.from == "" {
		return n.Title
	}
	return n.from + ": " + n.Title
}

// body is everything else for people: the text, when it was, and what went wrong.
func (n note) body() string {
	var b strings.Builder
	if n.Text != "" && !strings.HasSuffix(n.Title, n.Text) { // once is enough
		b.WriteString(n.Text + "\n")
	}
	b.WriteString(n.Wall.Format("2006-01-02 15:04:05 MST"))
	if n.late > 0 {
		fmt.Fprintf(&b, ", told %s late: it could not be sent before", span(n.late))
	}
	if n.lost > 0 {
		fmt.Fprintf(&b, "\n%d older messages could not be kept and are lost", n.lost)
	}
	return b.String()
}

// span writes how long for people.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return d.Round(time.Second).String()
	}
}
