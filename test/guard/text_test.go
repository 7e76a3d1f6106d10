package guard

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lastwatt/lastwatt/agent"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master"
)

// later are the laws whose proof comes with a later part of the work, and why.
var later = map[string]string{}

var lawTest = regexp.MustCompile(`^TestLaw(\d\d)[A-Z]`)

func TestEveryLawHasATest(t *testing.T) {
	have := map[string]string{}
	for _, src := range theTree(t).go_ {
		if !src.test {
			continue
		}
		for name := range src.file.Scope.Objects {
			if m := lawTest.FindStringSubmatch(name); m != nil {
				have[m[1]] = src.path
			}
		}
	}
	for _, law := range []string{"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"} {
		switch reason, put := later[law]; {
		case have[law] == "" && !put:
			t.Errorf("no test is named TestLaw%s…: a law that no test names is a wish (docs/ARCHITECTURE.md has the laws)", law)
		case have[law] != "" && put:
			t.Errorf("law %s has a test now (%s): take it off the list of later ones (%q)", law, have[law], reason)
		}
		delete(have, law)
	}
	for law, where := range have {
		t.Errorf("%s: there is no law %s", where, law)
	}
}

// TestLaw09TheWireCarriesNoCommand reads every message of the contract.
func TestLaw09TheWireCarriesNoCommand(t *testing.T) {
	bad := regexp.MustCompile(`(^|_)(command|cmd|argv|args?|exec|script|shell|run|path|file|env|hook)(_|s?$)`)
	if !bad.MatchString("hook_path") || bad.MatchString("runtime") {
		t.Fatal("the pattern is wrong")
	}
	seen := 0
	var walk func(protoreflect.MessageDescriptors)
	walk = func(ms protoreflect.MessageDescriptors) {
		for i := range ms.Len() {
			fields := ms.Get(i).Fields()
			for j := range fields.Len() {
				seen++
				if f := fields.Get(j); bad.MatchString(string(f.Name())) {
					t.Errorf("%s: law 9: the wire carries state and names, never a command, a path or an argument", f.FullName())
				}
			}
			walk(ms.Get(i).Messages())
		}
	}
	walk(upsv1.File_ups_v1_ups_proto.Messages())
	if seen == 0 {
		t.Error("no field was seen")
	}
}

// TestGeneratedCodeIsByThePinnedTools compares the versions in the headers with
// tools/go.mod; that the text is fresh too is for `make generated`.
func TestGeneratedCodeIsByThePinnedTools(t *testing.T) {
	tr := theTree(t)
	mod := tr.read(t, "tools/go.mod")
	pinned := func(name, pattern string) string {
		m := regexp.MustCompile(`(?m)^\s*` + pattern + ` (v\S+)`).FindStringSubmatch(mod)
		if m == nil {
			t.Fatalf("tools/go.mod does not pin %s", name)
		}
		return m[1]
	}
	want := map[string]string{
		"protoc-gen-go":      pinned("protoc-gen-go", `google\.golang\.org/protobuf`),
		"protoc-gen-go-grpc": pinned("protoc-gen-go-grpc", `google\.golang\.org/grpc/cmd/protoc-gen-go-grpc`),
	}
	by := regexp.MustCompile(`(?m)^// -?\s*(protoc-gen-go(?:-grpc)?)\s+(v\S+)$`)
	generated := 0
	for _, src := range tr.go_ {
		if !src.generated {
			continue
		}
		generated++
		if src.dir != "api/ups/v1" {
			t.Errorf("%s is generated: generated code lives in api/ups/v1 only", src.path)
			continue
		}
		m := by.FindStringSubmatch(tr.read(t, src.path))
		if m == nil || want[m[1]] != m[2] {
			t.Errorf("%s was made by %q, tools/go.mod pins %v: run make generate", src.path, m, want)
		}
	}
	if generated == 0 {
		t.Error("no generated file was found")
	}
}

// foreign are words that only mean something on the machine of whoever wrote them,
// put together here so that this file does not hold them itself.
var foreign = regexp.MustCompile(strings.Join([]string{
	"/" + "work/", `\.\./` + "shared", "/" + "root/", "/" + `home/\w`, "TO" + "DO", "FIX" + "ME", "XX" + `X\b`,
}, "|"))

func TestNothingOfTheAuthorsMachine(t *testing.T) {
	tr := theTree(t)
	for _, f := range tr.files {
		if strings.HasSuffix(f, ".sum") || f == "LICENSE" {
			continue
		}
		for i, line := range strings.Split(tr.read(t, f), "\n") {
			if m := foreign.FindString(line); m != "" {
				t.Errorf("%s:%d: %q: a path of one machine helps nobody else, and a note to oneself belongs into an issue", f, i+1, m)
			}
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#: ]+)(?:#[^)]*)?\)`)
	mention  = regexp.MustCompile("`((?:\\.ci|agent|api|cmd|deploy|docs|master|pkg|proto|test|tools)/[\\w./*-]*)`")
	document = regexp.MustCompile(`\b(docs/[\w/-]+\.md)\b`)
	makeVerb = regexp.MustCompile("`make ([a-z][a-z0-9-]*)")
)

// TestDocumentsSpeakOfThingsThatExist: links and file names in every Markdown
// file, documents named in code and proto comments, and make targets.
func TestDocumentsSpeakOfThingsThatExist(t *testing.T) {
	tr := theTree(t)
	targets := tr.read(t, "Makefile")
	for _, f := range tr.files {
		ext := filepath.Ext(f)
		if !slices.Contains([]string{".md", ".go", ".proto", ".toml", ".yml", ".yaml"}, ext) {
			continue
		}
		text := tr.read(t, f)
		var names []string
		for _, m := range document.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		if ext == ".md" {
			for _, m := range link.FindAllStringSubmatch(text, -1) {
				names = append(names, filepath.Join(filepath.Dir(f), m[1]))
			}
			for _, m := range mention.FindAllStringSubmatch(text, -1) {
				names = append(names, m[1])
			}
			for _, m := range makeVerb.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(targets, "\n"+m[1]+":") {
					t.Errorf("%s: speaks of `make %s`, which the Makefile does not know", f, m[1])
				}
			}
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if hits, err := filepath.Glob(filepath.Join(tr.root, name)); err != nil || len(hits) == 0 {
				t.Errorf("%s: speaks of %s, which does not exist: a document that is wrong once is not read twice", f, name)
			}
		}
	}
}

// TestEveryDecisionIsInTheIndex: docs/adr/README.md names every record.
func TestEveryDecisionIsInTheIndex(t *testing.T) {
	tr := theTree(t)
	index := tr.read(t, "docs/adr/README.md")
	records, err := os.ReadDir(filepath.Join(tr.root, "docs/adr"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Name() != "README.md" && !strings.Contains(index, "("+r.Name()+")") {
			t.Errorf("docs/adr/%s is not in docs/adr/README.md", r.Name())
		}
	}
}

var tomlBlock = regexp.MustCompile("(?s)```toml\n# (master|agent)\\.toml\n(.*?)```")

// TestExamplesAreValid reads each whole configuration that a document shows as its
// daemon would; the block's first line says which daemon. Blocks without that line
// are fragments, but README, from which people copy, shows nothing by halves.
func TestExamplesAreValid(t *testing.T) {
	tr := theTree(t)
	shown := 0
	for _, f := range tr.files {
		if filepath.Ext(f) != ".md" {
			continue
		}
		text := tr.read(t, f)
		blocks := tomlBlock.FindAllStringSubmatch(text, -1)
		if n := strings.Count(text, "```toml"); f == "README.md" && n != len(blocks) {
			t.Errorf("%s: %d of %d TOML blocks begin with '# master.toml' or '# agent.toml'", f, len(blocks), n)
		}
		for _, m := range blocks {
			shown++
			var err error
			if m[1] == "master" {
				_, err = master.ParseConfig(f, []byte(m[2]))
			} else {
				_, err = agent.ParseConfig(f, []byte(m[2]))
			}
			if err != nil {
				t.Errorf("%s shows a configuration that does not work (lines count from the block): %v", f, err)
			}
		}
	}
	if shown < 2 {
		t.Errorf("%d examples were found: this guard guards nothing", shown)
	}
}

// TestEveryKindOfProblemIsFound keeps the set closed on the other side too: a kind
// that nobody finds is a promise that nobody keeps.
func TestEveryKindOfProblemIsFound(t *testing.T) {
	tr := theTree(t)
	names := map[string]bool{} // the constants of pkg/health, and whether anybody uses them
	for _, src := range tr.go_ {
		if src.path != "pkg/health/kinds.go" {
			continue
		}
		for _, decl := range src.file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					names[id.Name] = false
				}
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("pkg/health/kinds.go names %d kinds", len(names))
	}
	for _, src := range tr.go_ {
		if src.test || src.dir == "pkg/health" {
			continue
		}
		ast.Inspect(src.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "health" {
					if _, is := names[sel.Sel.Name]; is {
						names[sel.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	for name, used := range names {
		if !used {
			t.Errorf("health.%s: nobody finds it; find it or strike it from the set", name)
		}
	}
}
