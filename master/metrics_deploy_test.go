package master

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var queries = flag.String("queries", "", "write the dashboard's queries into this `FILE`, as rules that promtool can check")

const (
	dashboardFile  = "../deploy/grafana/lastwatt.json"
	rulesFile      = "../deploy/prometheus/lastwatt.rules.yml"
	rulesTestFile  = "../deploy/prometheus/lastwatt.test.yml"
	metricsDoc     = "../docs/metrics.md"
	metricsBegin   = "<!-- metrics:begin -->\n"
	metricsEnd     = "<!-- metrics:end -->\n"
	dataSource     = "${datasource}"
	dashboardWidth = 24
)

type datasource struct{ Type, UID string }

// dashboard is as much of Grafana's as has to be right.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Datasource datasource
			Definition string
		}
	}
	Annotations struct {
		List []struct {
			Expr       string
			Datasource datasource
		}
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		Datasource               datasource
		GridPos                  struct{ X, Y, W, H int }
		Targets                  []struct {
			RefID, Expr string
			Datasource  datasource
		}
		FieldConfig struct{ Defaults struct{ Unit string } }
	}
}

// TestDashboard: it loads, and each panel says what it shows, in which unit, from the
// Prometheus that its reader has chosen.
func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(textOf(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion == 0 || len(d.Panels) < 10 {
		t.Errorf("%q %q of schema %d has %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	if v := d.Templating.List; len(v) != 2 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[1].Name != "instance" || v[1].Datasource.UID != dataSource {
		t.Errorf("variables %+v, want the data source and the master", v)
	}
	taken, ids, exprs := map[[2]int]string{}, map[int]bool{}, []string{}
	for _, p := range d.Panels {
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource != (datasource{"prometheus", dataSource}) || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: description %q, unit %q, data source %v, %d queries", p.ID, p.Title, p.Description, p.FieldConfig.Defaults.Unit, p.Datasource, len(p.Targets))
		}
		if ids[p.ID] {
			t.Errorf("panel %q: another has id %d too", p.Title, p.ID)
		}
		ids[p.ID] = true
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.Datasource.UID != dataSource || !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q: query %s of %v: %s", p.Title, q.RefID, q.Datasource, q.Expr)
			}
			refs[q.RefID] = true
			exprs = append(exprs, q.Expr)
		}
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X+g.W > dashboardWidth {
			t.Errorf("panel %q lies at %+v, off the screen", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panels %q and %q overlap", other, p.Title)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, a := range d.Annotations.List {
		exprs = append(exprs, a.Expr)
	}
	if *queries != "" {
		writeQueries(t, exprs)
	}
}

// writeQueries makes rules of queries, as they are when Grafana has put in what it
// knows.
func writeQueries(t *testing.T, exprs []string) {
	t.Helper()
	text := "groups:\n  - name: dashboard\n    rules:\n"
	known := strings.NewReplacer("$instance", ".+", "$__rate_interval", "1m")
	for i, expr := range exprs {
		expr = known.Replace(expr)
		if strings.Contains(expr, "$") {
			t.Errorf("nobody knows the variable in %s", expr)
		}
		text += fmt.Sprintf("      - record: dashboard:query%d\n        expr: %q\n", i, expr)
	}
	if err := os.WriteFile(*queries, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	figureName = regexp.MustCompile(`\blastwatt_[a-z_]+`)
	selector   = regexp.MustCompile(`\b(lastwatt_[a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+) *(=~|!~|!=|=) *"([^"]*)"`)
)

// TestDeployAsksForWhatThereIs: every name, label and value that the dashboard and
// the rules ask for is in the golden expositions; a query that finds nothing looks
// like a rack where all is well.
func TestDeployAsksForWhatThereIs(t *testing.T) {
	shown := ""
	files, err := filepath.Glob("testdata/metrics/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden exposition: %v", err)
	}
	for _, f := range files {
		shown += textOf(t, f)
	}
	for _, file := range []string{dashboardFile, rulesFile, rulesTestFile} {
		text := strings.ReplaceAll(textOf(t, file), `\"`, `"`)
		names := figureName.FindAllString(text, -1)
		if len(names) < 10 {
			t.Errorf("%s: %d names were found: this test tests nothing", file, len(names))
		}
		for _, name := range names {
			if !strings.Contains(shown, "# TYPE "+name+" ") {
				t.Errorf("%s asks for %s, which the master does not export", file, name)
			}
		}
		for _, s := range selector.FindAllStringSubmatch(text, -1) {
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				label, value := m[1], m[3]
				if label == "job" || label == "instance" {
					continue // Prometheus adds them
				}
				f := figureOf(s[1])
				if !slices.Contains(f.labels, label) {
					t.Errorf("%s: %s has no label %s", file, s[1], label)
				}
				closed := label == "state" || label == "phase" || label == "link"
				if closed && !strings.Contains(shown, label+`="`+value+`"`) {
					t.Errorf("%s: %s is never %q", file, label, value)
				}
			}
		}
	}
}

// TestEveryAlertIsTestedBothWays: promtool runs the tests; that there is one in which
// an alert fires and one in which it is silent is held here.
func TestEveryAlertIsTestedBothWays(t *testing.T) {
	tests := textOf(t, rulesTestFile)
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(textOf(t, rulesFile), -1)
	if len(alerts) < 10 {
		t.Errorf("%d alerts were found", len(alerts))
	}
	for _, m := range alerts {
		for what, pattern := range map[string]string{
			"fires":     `alertname: ` + m[1] + `\n +exp_alerts:\n +- exp_labels:`,
			"is silent": `alertname: ` + m[1] + `\n +exp_alerts: \[\]`,
		} {
			if !regexp.MustCompile(pattern).MatchString(tests) {
				t.Errorf("%s: no test in which %s %s", rulesTestFile, m[1], what)
			}
		}
	}
}

func figureOf(name string) figure {
	for _, f := range figures() {
		if figurePrefix+f.name == name {
			return f
		}
	}
	return figure{}
}

// TestMetricsDocHasEveryFigure prints the table from what the collector describes.
func TestMetricsDocHasEveryFigure(t *testing.T) {
	var b strings.Builder
	b.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range figures() {
		kind := "gauge"
		if f.kind == prometheus.CounterValue {
			kind = "counter"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", figurePrefix, f.name, kind, strings.Join(f.labels, ", "), f.help)
	}
	doc := textOf(t, metricsDoc)
	before, rest, ok := strings.Cut(doc, metricsBegin)
	_, after, ok2 := strings.Cut(rest, metricsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table, between %q and %q", metricsDoc, metricsBegin, metricsEnd)
	}
	golden(t, metricsDoc, before+metricsBegin+b.String()+metricsEnd+after)
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
