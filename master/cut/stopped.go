package cut

import (
	"os"
	"path/filepath"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// stoppedFile holds how long this machine took to stop, in the folder that survives a
// boot. Nobody else sees that: its master is among the first to end.
const stoppedFile = "cut-stopped.json"

type stopped struct {
	Took time.Duration `json:"took"`
}

// NoteStop leaves word for the next start of the master of how long its machine has
// taken to stop: from its seal until now, when all else has ended. Where the folder is
// on a file system of its own that is unmounted by now, and nobody is told.
func NoteStop(fsys journal.FS, data string, s Seal, now power.Uptime) {
	if _, err := os.Stat(data); fsys == nil && err != nil {
		return
	}
	path := filepath.Join(data, stoppedFile)
	if old := (stopped{}); journal.LoadOn(fsys, path, &old) == nil {
		return // one that was killed has noted it, sooner
	}
	_ = journal.SaveOn(fsys, path, stopped{now.Sub(s.Made)})
}

// TookStop returns what [NoteStop] left, once; 0: nothing. It touches the disk.
func TookStop(fsys journal.FS, data string) time.Duration {
	path := filepath.Join(data, stoppedFile)
	var s stopped
	if err := journal.LoadOn(fsys, path, &s); err != nil || s.Took <= 0 {
		return 0
	}
	if err := journal.RemoveOn(fsys, path); err != nil {
		return 0 // it would be counted at each start
	}
	return s.Took
}
