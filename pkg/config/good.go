package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goodName is the name of the last good copy in the folder for data.
const goodName = "last-good.toml"

// keepAgain is how often a copy that could not be saved is tried again.
const keepAgain = time.Minute

// Version is one text of a daemon's configuration, and what it says.
type Version[C any] struct {
	Config C
	text   []byte
	bare   bool // there is no file
}

// Same reports whether two versions say the same.
func (v Version[C]) Same(w Version[C]) bool {
	return bytes.Equal(v.text, w.text) || reflect.DeepEqual(v.Config, w.Config)
}

// Files is a daemon's configuration file, and the copy of the last version of it
// that ran well: what breaks the file must not keep the daemon from starting. The
// copy lies in the folder for data, which only the daemon writes. It may be used by
// several goroutines at once.
type Files[C any] struct {
	Path string // the owner's file
	// Read asks a document for every key; its error is the document's.
	Read func(*Doc) (C, error)
	// Data returns the folder for data, which is at the key "data".
	Data func(C) string
	// Bare: a file that is not there, and of which there is no copy, is an empty one:
	// every key has its default.
	Bare bool
	// Places are where the copy may lie when the file can't say; empty ones are not
	// looked at.
	Places []string
	// Replace writes a file as a whole: afterwards there is the old or the new.
	Replace func(path string, content []byte) error
	Log     *slog.Logger
}

// Load reads the owner's file.
func (f Files[C]) Load() (Version[C], error) {
	text, err := readFile(f.Path)
	switch {
	case f.Bare && errors.Is(err, fs.ErrNotExist) && !f.copied():
		v, err := f.parse(f.Path, nil)
		v.bare = true
		return v, err
	case err != nil:
		return Version[C]{}, err
	}
	return f.parse(f.Path, text)
}

// copied reports whether there is a copy, or may be one.
func (f Files[C]) copied() bool {
	return slices.ContainsFunc(f.Places, func(dir string) bool {
		if dir == "" {
			return false
		}
		_, err := os.Lstat(filepath.Join(dir, goodName))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

func (f Files[C]) parse(name string, text []byte) (Version[C], error) {
	doc, err := Parse(name, text)
	if err != nil {
		return Version[C]{}, err
	}
	c, err := f.Read(doc)
	return Version[C]{Config: c, text: text}, err
}

// Start reads the owner's file, or if that is broken or gone the last good copy of
// it; trouble then says what is wrong with the file. Without a copy that is the
// error.
func (f Files[C]) Start() (v Version[C], trouble, err error) {
	v, wrong := f.Load()
	if wrong == nil {
		return v, nil, nil
	}
	var unusable []error
	for _, dir := range append(f.named(), f.Places...) {
		if dir == "" {
			continue
		}
		v, saved, err := f.good(filepath.Join(dir, goodName))
		if err == nil {
			return v, fmt.Errorf("the last good copy of %s runs, saved %s, because the file can't be used: %w", f.Path, saved, wrong), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			unusable = append(unusable, err)
		}
	}
	return Version[C]{}, nil, errors.Join(append([]error{wrong}, unusable...)...)
}

// named returns the folder for data that the broken file names: a line that says so
// is taken by itself, whatever is wrong elsewhere. A file that anybody may write is
// not listened to.
func (f Files[C]) named() []string {
	text, err := readFile(f.Path)
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[")) {
			break
		}
		doc, err := Parse(f.Path, line)
		if err != nil {
			continue
		}
		if dir := doc.Root().String("data", ""); CheckPath(dir) == nil {
			return []string{filepath.Clean(dir)}
		}
	}
	return nil
}

// goodHead is the first line of a copy: what it is a copy of, and since when.
var goodHead = regexp.MustCompile(`^# The last configuration that ran well: a copy of ("(?:[^"\\]|\\.)*"), saved ([0-9TZ:-]+)\.\n`)

// goodNote is the second.
const goodNote = "# It runs where that file is broken at a start. Change that file, not this one.\n"

// good reads the copy at path, and says when it was saved.
func (f Files[C]) good(path string) (v Version[C], saved string, err error) {
	source, saved, text, err := readGood(path)
	if err != nil {
		return v, "", err
	}
	if source != f.source() {
		return v, "", fmt.Errorf("the last good configuration at %s is of another file: %s", path, source)
	}
	// With its head, so that lines have their numbers.
	if v, err = f.parse(path, text); err != nil {
		return v, "", fmt.Errorf("the last good copy is of no use either: %w", err)
	}
	v.text = text[len(text)-len(body(text)):]
	return v, saved, nil
}

func readGood(path string) (source, saved string, text []byte, err error) {
	if text, err = readFile(path); err != nil {
		return "", "", nil, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", "", nil, err
	}
	if uid, stranger := strangers(st); stranger {
		return "", "", nil, fmt.Errorf("%s belongs to user %d, so it is not used", path, uid)
	}
	head := goodHead.FindSubmatch(text)
	if head == nil {
		return "", "", nil, fmt.Errorf("%s does not say what it is a copy of, so it is not used", path)
	}
	source, err = strconv.Unquote(string(head[1]))
	return source, string(head[2]), text, err
}

// body returns a copy's text without its head.
func body(text []byte) []byte {
	_, rest, _ := bytes.Cut(text, []byte{'\n'})
	return bytes.TrimPrefix(rest, []byte(goodNote))
}

// source is how a copy names the owner's file.
func (f Files[C]) source() string {
	if abs, err := filepath.Abs(f.Path); err == nil {
		return abs
	}
	return f.Path
}

// Keep saves v as the last good copy, if it is not that already, and tries until it
// is or ctx ends. A disk that hangs keeps nobody else.
func (f Files[C]) Keep(ctx context.Context, v Version[C]) {
	if v.bare {
		return
	}
	path := filepath.Join(f.Data(v.Config), goodName)
	said := false
	for {
		done := make(chan error, 1)
		go func() { done <- f.save(path, v) }()
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			return // whoever still waits for the disk ends when it answers
		}
		if err == nil {
			return
		}
		if !said {
			said = true
			f.Log.Warn("cannot keep a copy of this configuration; if the file breaks, an older one starts, or none", "err", err)
		}
		t := time.NewTimer(keepAgain)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func (f Files[C]) save(path string, v Version[C]) error {
	if source, _, text, err := readGood(path); err == nil && source == f.source() && bytes.Equal(body(text), v.text) {
		return nil
	}
	head := fmt.Sprintf("# The last configuration that ran well: a copy of %q, saved %s.\n%s", f.source(), time.Now().UTC().Format(time.RFC3339), goodNote)
	return f.Replace(path, append([]byte(head), v.text...))
}

// Brief returns an error about a file in one line: its first mistake and how many
// more there are.
func Brief(err error) string {
	first, rest, more := strings.Cut(err.Error(), "\n")
	if !more {
		return first
	}
	return fmt.Sprintf("%s; and %d more", first, 1+strings.Count(rest, "\n"))
}
