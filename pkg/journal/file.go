package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// envelope is what a state file holds.
type envelope struct {
	Data json.RawMessage `json:"data"`
}

// Save writes v to path as a whole: afterwards, and after a power cut at any
// moment, there is the old content or the new. Only one may save to a path at a
// time.
func Save(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", path, err)
	}
	line, err := seal(envelope{data})
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", path, err)
	}
	if err := replace(path, line); err != nil {
		return fmt.Errorf("cannot save %s: %w", path, cause(err))
	}
	return nil
}

// Replace writes content to path as [Save] does: whole, or not at all.
func Replace(path string, content []byte) error { return replace(path, content) }

func replace(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp := path + ".tmp"
	_ = os.Remove(tmp) // left by a crash
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(path)
}

// Load reads what [Save] wrote at path into v. The error is [os.ErrNotExist] if
// there is nothing, and [ErrCorrupt] if it is damaged; v is then not to be used.
func Load(path string, v any) error {
	// Not blocking: a pipe in the file's place must be an error, not a wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("cannot load: %w", err)
	}
	defer f.Close()
	if err := regular(f); err != nil {
		return fmt.Errorf("cannot load %s: %w", path, err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("cannot load %s: %w", path, cause(err))
	}
	if err := decode(b, v); err != nil {
		return fmt.Errorf("cannot load %s: %w", path, err)
	}
	return nil
}

func decode(b []byte, v any) error {
	var e envelope
	if err := unseal(b, &e); err != nil {
		return err
	}
	if err := json.Unmarshal(e.Data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}
