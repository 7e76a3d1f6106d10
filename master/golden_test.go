package master

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write testdata and the tables of docs/ again; read the diff before you commit it")

// golden compares got with a file of this package, or writes it with -rewrite.
func golden(t *testing.T, path, got string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if *rewrite {
		if string(want) == got {
			return
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err = os.WriteFile(path, []byte(got), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" && !*rewrite {
		t.Errorf("%s (-want +got); if that is right: go test ./master -rewrite\n%s", path, diff)
	}
}
