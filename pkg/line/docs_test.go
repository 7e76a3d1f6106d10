package line

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "print the catalogue into docs/cables.md")

func TestCatalogueInTheDocs(t *testing.T) {
	t.Parallel()
	const file, mark = "../../docs/cables.md", "<!-- catalogue -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, _, ok := strings.Cut(string(data), mark)
	if !ok {
		t.Fatalf("%s has lost its %s", file, mark)
	}
	var b strings.Builder
	b.WriteString(text + mark + "\n| name | for | on battery | low | kill | pulled at the computer it reads as |\n|---|---|---|---|---|---|\n")
	for _, c := range Catalogue() {
		names := "`" + strings.Join(append([]string{c.Name}, c.Aliases...), "` `") + "`"
		out, _, _ := strings.Cut(c.PulledAtComputer().String(), ":")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", names, c.Title, c.OnBattery, c.LowBattery, killInWords(c.Kill), out)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(b.String(), string(data)); diff != "" {
		t.Errorf("the list is stale; run go test ./pkg/line -run TestCatalogueInTheDocs -update (-want +got):\n%s", diff)
	}
}

func killInWords(k Kill) string {
	switch {
	case len(k.Set) > 0:
		return strings.Join(termTexts(k.Set), " ") + " for " + seconds(k.Hold)
	case k.Break > 0:
		return "break of " + seconds(k.Break)
	case len(k.Send) > 0:
		return fmt.Sprintf("send %x for %s", k.Send, seconds(k.Hold))
	default:
		return "none"
	}
}
