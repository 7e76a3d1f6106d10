//go:build !linux

package cut

import (
	"fmt"
	"os"
)

// Console returns what tells people in front of the machine, and ends it.
func Console() (say func(string), done func()) {
	return func(text string) { fmt.Fprintf(os.Stderr, "lastwatt: %s\n", text) }, func() {}
}
