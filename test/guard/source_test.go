package guard

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const (
	maxLines     = 400 // a file that one can hold in one's head
	maxTestLines = 600
)

func TestFilesStayReadable(t *testing.T) {
	for _, src := range theTree(t).go_ {
		limit := maxLines
		if src.test {
			limit = maxTestLines
		}
		if !src.generated && src.lines > limit {
			t.Errorf("%s has %d lines, more than %d: it hides more than one thing", src.path, src.lines, limit)
		}
	}
}

func TestEveryPackageHasOneDocComment(t *testing.T) {
	docs := map[string][]string{}
	for _, src := range theTree(t).go_ {
		if src.test {
			continue
		}
		if _, ok := docs[src.dir]; !ok {
			docs[src.dir] = nil
		}
		if src.file.Doc == nil || src.generated {
			if src.generated {
				docs[src.dir] = append(docs[src.dir][:0], src.path)
			}
			continue
		}
		docs[src.dir] = append(docs[src.dir], src.path)
		want := "Package " + src.file.Name.Name + " "
		if src.file.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(src.file.Doc.Text(), want) {
			t.Errorf("%s: the package comment begins with %.30q, not with %q", src.path, src.file.Doc.Text(), want)
		}
	}
	for dir, where := range docs {
		if len(where) != 1 {
			t.Errorf("%s: %d package comments %v, want one: the paragraph that says what the package hides, what it promises about concurrency and what it will not do", dir, len(where), where)
		}
	}
}

const whyNoState = "no package-level mutable state: two racks must fit into one test process, in parallel"

// TestNoPackageState lets a package-level variable be a constant that Go has no
// word for: an error, a pattern, an embedded file, a table that is never written.
func TestNoPackageState(t *testing.T) {
	tr := theTree(t)
	vars := map[string]map[string]*ast.ValueSpec{} // folder -> name -> declaration
	for _, src := range tr.go_ {
		if src.test || src.generated || under(src.dir, "test") {
			continue
		}
		for _, decl := range src.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init: nothing registers itself; say it where it is used", tr.at(fn))
			}
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				if isEmbed(gen, v) {
					continue
				}
				for i, name := range v.Names {
					if name.Name == "_" || name.Name == "version" && src.file.Name.Name == "main" {
						continue // an assertion; what the linker writes
					}
					if i >= len(v.Values) || !constantLike(v.Values[i]) {
						t.Errorf("%s: package variable %s: %s", tr.at(name), name.Name, whyNoState)
						continue
					}
					if vars[src.dir] == nil {
						vars[src.dir] = map[string]*ast.ValueSpec{}
					}
					vars[src.dir][name.Name] = v
				}
			}
		}
	}
	for _, src := range tr.go_ {
		if table := vars[src.dir]; table != nil {
			writes(src.file, func(id *ast.Ident) {
				spec := table[id.Name]
				if spec != nil && (id.Obj == nil || id.Obj.Decl == spec) {
					t.Errorf("%s: writes package variable %s: %s", tr.at(id), id.Name, whyNoState)
				}
			})
		}
	}
}

func isEmbed(gen *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{gen.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	return false
}

// constantLike reports whether a value is one that nobody changes by accident.
func constantLike(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit, *ast.BasicLit:
		return true
	case *ast.CallExpr:
		sel, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok { // base32.NewEncoding(…).WithPadding(…)
			return constantLike(sel.X)
		}
		return slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "time.Date", "big.NewInt", "base32.NewEncoding", "sync.OnceValue", "sync.OnceValues"}, pkg.Name+"."+sel.Sel.Name)
	}
	return false
}

// writes finds the variable at the root of everything that is assigned to,
// counted up, deleted from, cleared or has its address taken.
func writes(f *ast.File, found func(*ast.Ident)) {
	root := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.Ident:
				found(x)
				return
			case *ast.SelectorExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			default:
				return
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, l := range n.Lhs {
					root(l)
				}
			}
		case *ast.IncDecStmt:
			root(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				root(n.X)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
				root(n.Args[0])
			}
		}
		return true
	})
}
