//go:build linux && (amd64 || arm64)

package rack

import (
	"os"

	"github.com/lastwatt/lastwatt/test/debian"
)

// tree returns a tree with a Debian, which is made the first time: some 80 s.
func tree() (string, error) {
	if tree := os.Getenv(treeVariable); tree != "" {
		return tree, nil
	}
	return debian.Tree(debian.Systemd, nil)
}
