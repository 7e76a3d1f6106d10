package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize bounds a file that is read whole into memory. The largest real one, a
// master with dozens of UPSes, is a few KiB.
const maxSize = 1 << 20

// Doc is one parsed file. Ask its Root for every key that is known, then call Err.
type Doc struct {
	file     string
	data     []byte
	root     *Table
	tables   []*Table // every table that was asked for, for "it belongs in"
	problems []Problem
	warnings []Problem
}

// Load reads and parses the file at path. A file that is not a regular one, or
// that anybody may write, is refused: it names programs that run as root.
func Load(path string) (*Doc, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not hang the daemon (open(2)).
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("cannot read the configuration: %s is not a regular file but %s; name a file", path, kindOf(st.Mode()))
	case st.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("cannot read the configuration: anybody may write %s; run: chmod o-w %s", path, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("cannot read the configuration: %s is larger than 1 MiB; is it the right file?", path)
	}
	return data, nil
}

func kindOf(m os.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&os.ModeNamedPipe != 0:
		return "a FIFO"
	case m&os.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// Parse parses data; file is only its name in errors. The error is an [*Error]
// with the one place where the text stops being TOML.
func Parse(file string, data []byte) (*Doc, error) {
	d := &Doc{file: file, data: bytes.Clone(data)}
	if i := firstBadByte(data); i >= 0 {
		return nil, d.fail(i, nil, "not UTF-8 text; save the file as UTF-8")
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return nil, d.fail(0, nil, "begins with a byte order mark; save the file as UTF-8 without one")
	}
	t, err := grow(d.data)
	if err != nil {
		return nil, d.syntax(err, nil)
	}
	vals := map[string]any{}
	if err := toml.Unmarshal(d.data, &vals); err != nil {
		return nil, d.syntax(err, t.twice)
	}
	t.root.fill(vals)
	d.root = d.table(t.root, "")
	return d, nil
}

func firstBadByte(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// Root returns the table that the file itself is.
func (d *Doc) Root() *Table { return d.root }

// Problem is one thing that is wrong in a file.
type Problem struct {
	File      string
	Line, Col int    // from 1; Col counts bytes, as compilers do
	Key       string // full dotted path, without the indexes of arrays; "" in a syntax error
	Text      string // what is wrong; what to write

	owner *node // the table that key belongs to
}

// String returns p as "FILE:LINE:COL: key: what is wrong; what to write".
func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Col, p.Key, p.Text)
}

// Error is everything that is wrong in a file, sorted by position; never empty.
type Error struct{ Problems []Problem }

// Error returns one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns everything that is wrong as an [*Error], unknown keys included, or
// nil. Call it after every known key has been asked for.
func (d *Doc) Err() error {
	all := append([]Problem(nil), d.problems...)
	all = append(all, d.unknown()...)
	if len(all) == 0 {
		return nil
	}
	return &Error{Problems: byPlace(all)}
}

// Warnings returns what [Table.Warn] noted.
func (d *Doc) Warnings() []Problem { return byPlace(slices.Clone(d.warnings)) }

// byPlace sorts problems by their place. Two readers of one key say the same about
// it: that counts once.
func byPlace(all []Problem) []Problem {
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(all)
}

// place turns an offset into line and column, both from 1.
func (d *Doc) place(at int) (line, col int) {
	before := d.data[:min(at, len(d.data))]
	return 1 + bytes.Count(before, []byte{'\n'}), at - bytes.LastIndexByte(before, '\n')
}

func (d *Doc) problem(at int, key, text string) Problem {
	line, col := d.place(at)
	return Problem{File: d.file, Line: line, Col: col, Key: key, Text: text}
}

// fail returns the error of a text that is no TOML.
func (d *Doc) fail(at int, key []string, text string) error {
	return &Error{Problems: []Problem{d.problem(at, dotted(key...), text)}}
}

// syntax turns go-toml's error into ours: same place, words for people.
func (d *Doc) syntax(err error, twice []again) error {
	at, msg, key := 0, err.Error(), []string(nil)
	var pe *unstable.ParserError
	var de *toml.DecodeError
	switch {
	case errors.As(err, &pe):
		msg = pe.Message
		// The highlight is a part of the data: the length of what is left of the
		// shared array tells its offset.
		at = cap(d.data) - cap(pe.Highlight)
	case errors.As(err, &de):
		line, col := de.Position()
		at, key = d.offset(line, col), de.Key()
		for _, t := range twice {
			if t.at == at && (strings.Contains(msg, "already") || strings.Contains(msg, "should be")) {
				line, _ := d.place(t.first)
				return d.fail(at, key, fmt.Sprintf("written twice, first in line %d; keep one of them", line))
			}
		}
	}
	return d.fail(max(0, min(at, len(d.data))), key, advise(strings.TrimPrefix(msg, "toml: ")))
}

// offset is the inverse of place.
func (d *Doc) offset(line, col int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(d.data[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	return at + col - 1
}
