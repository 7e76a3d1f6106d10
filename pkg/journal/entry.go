package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// ErrCorrupt says that what is on disk is not what was written.
var ErrCorrupt = errors.New("corrupt: its checksum does not fit")

// Entry is one record of a journal.
type Entry struct {
	// Seq counts the entries of one file from 1.
	Seq uint64 `json:"seq"`
	// Boot names the boot that At counts from; empty: not known.
	Boot string `json:"boot,omitempty"`
	// At is when it happened, since boot, in nanoseconds.
	At time.Duration `json:"at"`
	// Wall is the wall clock then, for people only: it jumps.
	Wall time.Time `json:"wall"`
	// Name says what kind of record it is.
	Name string `json:"name"`
	// Data is the record itself.
	Data json.RawMessage `json:"data"`
}

// A sealed line is a JSON object whose last member is the CRC32C of all bytes
// before it. The polynomial is Castagnoli's, which finds every burst error of up
// to 32 bits (RFC 3720 §12.1 takes it for the same reason).
const (
	sealStart = `,"crc":"`
	sealEnd   = `"}`
	sealLen   = len(sealStart) + 8 + len(sealEnd)
)

func checksum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// seal returns v as one line of JSON with its checksum and a newline. v must
// marshal to an object that is not empty.
func seal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte("}"))
	return fmt.Appendf(b, "%s%s%s\n", sealStart, checksum(b), sealEnd), nil
}

// unseal checks a line, with or without its newline, and decodes it into v.
func unseal(line []byte, v any) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) < sealLen {
		return ErrCorrupt
	}
	body, tail := line[:len(line)-sealLen], line[len(line)-sealLen:]
	if string(tail) != sealStart+checksum(body)+sealEnd {
		return ErrCorrupt
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}
