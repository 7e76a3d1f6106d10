package health

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write docs/problems.md again")

func TestKindsAreWhole(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9-]{2,30}$`)
	seen := map[string]bool{}
	for _, k := range Kinds() {
		switch {
		case !form.MatchString(k.Name) || seen[k.Name]:
			t.Errorf("%q is no name, or is there twice", k.Name)
		case !strings.HasSuffix(k.What, ".") || !strings.HasSuffix(k.Do, "."):
			t.Errorf("%s: no sentence says what is wrong and what to do", k.Name)
		case k.After < 0 || k.After > time.Hour:
			t.Errorf("%s is told after %s", k.Name, k.After)
		case k.Weakness && k.After != 0:
			t.Errorf("%s alarms nobody, so nothing can come after %s", k.Name, k.After)
		}
		seen[k.Name] = true
		if got, ok := Lookup(k.Name); !ok || got != k {
			t.Errorf("Lookup(%s) is %v %v", k.Name, got, ok)
		}
	}
	if k, ok := Lookup("nonsense"); ok || k.Name != "nonsense" || Weakness("nonsense") {
		t.Errorf("nonsense is %v %v", k, ok)
	}
}

// The page for owners is printed from the set, so neither lags.
func TestProblemsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Problems

Everything that Lastwatt can find wrong, by the name under which ` + "`upsctl status`" + `, alarms and
hooks tell it. A *problem* weakens the protection now: it makes ` + "`upsctl status`" + ` exit with 3,
is told by hooks and alarms when it has stayed for the time in the table and when it goes,
and once a day while it stays. A *weakness* is nothing broken, but was never proved or is a
known limit: ` + "`upsctl doctor`" + ` lists it, and it alarms nobody.

Printed by ` + "`go test ./pkg/health -rewrite`" + `.
`)
	for _, weakness := range []bool{false, true} {
		title, head := "Problems", "| name | what is wrong | what to do | told after |\n|---|---|---|---|\n"
		if weakness {
			title, head = "Weaknesses", "| name | what it is | what to do |\n|---|---|---|\n"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s", title, head)
		for _, k := range Kinds() {
			switch {
			case k.Weakness != weakness:
			case weakness:
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, k.What, k.Do)
			default:
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.What, k.Do, after(k.After))
			}
		}
	}
	const page = "../../docs/problems.md"
	if *rewrite {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.String(), string(got)); d != "" {
		t.Errorf("docs/problems.md is not what the code says; go test ./pkg/health -rewrite (-want +got):\n%s", d)
	}
}

func after(d time.Duration) string {
	if d == 0 {
		return "at once"
	}
	return strings.Replace(d.String(), "m0s", "m", 1)
}
