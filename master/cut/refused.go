package cut

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/lastwatt/lastwatt/pkg/journal"
)

// refusedFile holds why the last late unit did nothing, in the folder that survives a
// boot: the seal itself does not.
const refusedFile = "cut-refused.json"

type refused struct {
	Why string `json:"why"`
}

// Refuse leaves word for the next start of the master that a seal let nothing. The
// disk may be gone by now; then only the console has heard it.
func Refuse(fsys journal.FS, data string, why error) {
	if _, err := os.Stat(data); fsys == nil && err != nil {
		return // its file system is unmounted already
	}
	_ = journal.SaveOn(fsys, filepath.Join(data, refusedFile), refused{why.Error()})
}

// Refused returns what [Refuse] left, once; nil: nothing. It touches the disk.
func Refused(fsys journal.FS, data string) error {
	path := filepath.Join(data, refusedFile)
	var r refused
	if err := journal.LoadOn(fsys, path, &r); err != nil || r.Why == "" {
		return nil // none, or torn: the console has heard it
	}
	_ = journal.RemoveOn(fsys, path) // else it is told twice
	return errors.New("the last power-off did not cut the load: " + r.Why)
}
