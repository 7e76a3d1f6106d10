package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// condition is how a line was found.
type condition int

const (
	whole   condition = iota
	damaged           // not what was written
	cutOff            // the last line, without its end: writing it was not finished
)

// scan calls fn with each line's length, its entry if it is whole, and its
// condition.
func scan(r io.Reader, fn func(length int, e Entry, is condition) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			if err := scanLine(line, err == nil, fn); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func scanLine(line []byte, ended bool, fn func(int, Entry, condition) error) error {
	var e Entry
	switch {
	case !ended:
		return fn(len(line), e, cutOff)
	case unseal(line, &e) == nil:
		return fn(len(line), e, whole)
	}
	if err := fn(len(line), Entry{}, damaged); err != nil {
		return err
	}
	// Where it was the newline that was hit, two good entries look like one bad line.
	for _, part := range split(line) {
		var e Entry
		if unseal(part, &e) != nil {
			continue
		}
		if err := fn(0, e, whole); err != nil {
			return err
		}
	}
	return nil
}

// entryStart is how every line of a journal begins.
const entryStart = `{"seq":`

// split cuts a line before each beginning of an entry but the first; the byte
// before a beginning was a newline once and is left out.
func split(line []byte) (parts [][]byte) {
	for {
		i := bytes.Index(line[min(1, len(line)):], []byte(entryStart))
		if i < 0 {
			if parts == nil {
				return nil // nothing was joined
			}
			return append(parts, line)
		}
		parts = append(parts, line[:i])
		line = line[i+1:]
	}
}
