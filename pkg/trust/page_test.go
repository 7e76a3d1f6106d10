package trust

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPageNamesRealTests: a promise on the page is held by the test that the
// page names.
func TestSecurityPageNamesRealTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	must(t, page, err)
	files, err := filepath.Glob("*_test.go")
	must(t, files, err)
	var code strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, text, err)
		code.Write(text)
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(string(page), -1)
	for _, m := range named {
		if !strings.Contains(code.String(), "\nfunc "+m[1]+"(t *testing.T) {") {
			t.Errorf("docs/security.md names %s, which this package does not have", m[1])
		}
	}
	if len(named) < 15 {
		t.Errorf("docs/security.md names %d tests", len(named))
	}
}
