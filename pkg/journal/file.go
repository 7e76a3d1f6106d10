package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// envelope is what a state file holds.
type envelope struct {
	Data json.RawMessage `json:"data"`
}

// Save writes v to path as a whole: afterwards, and after a power cut at any
// moment, there is the old content or the new. Only one may save to a path at a
// time.
func Save(path string, v any) error { return SaveOn(nil, path, v) }

// SaveOn is [Save] on a file system; nil: the real one.
func SaveOn(fsys FS, path string, v any) error { return saveOn(orReal(fsys), path, v) }

func saveOn(fsys FS, path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", path, err)
	}
	line, err := seal(envelope{data})
	if err != nil {
		return fmt.Errorf("cannot save %s: %w", path, err)
	}
	if err := replace(fsys, path, line); err != nil {
		return fmt.Errorf("cannot save %s: %w", path, cause(err))
	}
	return nil
}

// Replace writes content to path as [Save] does: whole, or not at all.
func Replace(path string, content []byte) error { return replace(realFS{}, path, content) }

func replace(fsys FS, path string, content []byte) error {
	tmp := path + ".tmp"
	_ = fsys.Remove(tmp) // left by a crash
	f, err := fsys.Open(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// Load reads what [Save] wrote at path into v. The error is [os.ErrNotExist] if
// there is nothing, and [ErrCorrupt] if it is damaged; v is then not to be used.
func Load(path string, v any) error { return LoadOn(nil, path, v) }

// LoadOn is [Load] on a file system; nil: the real one.
func LoadOn(fsys FS, path string, v any) error { return loadOn(orReal(fsys), path, v) }

// RemoveOn removes what [SaveOn] wrote, so that it stays removed. Nothing there is
// no error.
func RemoveOn(fsys FS, path string) error {
	fsys = orReal(fsys)
	_ = fsys.Remove(path + ".tmp") // left by a crash
	switch err := fsys.Remove(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot remove %s: %w", path, cause(err))
	}
	if err := fsys.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, cause(err))
	}
	return nil
}

func loadOn(fsys FS, path string, v any) error {
	f, err := fsys.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot load: %w", err)
	}
	defer f.Close()
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
