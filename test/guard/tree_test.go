package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/lastwatt/lastwatt"

// source is one Go file of the tree.
type source struct {
	path      string // from the root, "pkg/power/state.go"
	dir       string // its package's folder, "pkg/power"
	test      bool
	generated bool
	lines     int
	file      *ast.File
}

// tree is the repository as it lies on disk, whatever the build tags say.
type tree struct {
	root  string
	fset  *token.FileSet
	go_   []source
	files []string // every file, from the root
}

var generatedLine = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

var load = sync.OnceValues(readTree)

func theTree(t *testing.T) *tree {
	t.Helper()
	tr, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func readTree() (*tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	tr := &tree{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if rel == ".git" || rel == "bin" || rel == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel = filepath.ToSlash(rel)
		tr.files = append(tr.files, rel)
		if !strings.HasSuffix(rel, ".go") || strings.Contains(rel, "/testdata/") {
			return nil
		}
		return tr.addGo(rel)
	})
	return tr, err
}

func (tr *tree) addGo(rel string) error {
	text, err := os.ReadFile(filepath.Join(tr.root, rel))
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(tr.fset, rel, text, parser.ParseComments)
	if err != nil {
		return err
	}
	tr.go_ = append(tr.go_, source{
		path: rel, dir: filepath.ToSlash(filepath.Dir(rel)),
		test: strings.HasSuffix(rel, "_test.go"), generated: generatedLine.Match(text),
		lines: strings.Count(string(text), "\n"), file: f,
	})
	return nil
}

// read returns a file's text.
func (tr *tree) read(t *testing.T, rel string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.root, rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// at returns "FILE:LINE" of a node.
func (tr *tree) at(n ast.Node) string {
	p := tr.fset.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// under reports whether dir is one of the folders or lies below one of them.
func under(dir string, folders ...string) bool {
	for _, f := range folders {
		if dir == f || strings.HasPrefix(dir, f+"/") {
			return true
		}
	}
	return false
}
