package mutants

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	mutate = flag.Bool("mutants", false, "try each fault: minutes")
	only   = flag.String("only", "", "try the faults whose name or file matches")
)

const root = "../.."

// TestFaultsAreThere keeps the list from rotting: what a fault replaces stands in
// the code, once.
func TestFaultsAreThere(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Faults() {
		if err := f.Check(root); err != nil {
			t.Error(err)
		}
		if names[f.Name] {
			t.Errorf("two faults are called %q: a line of the result must say which", f.Name)
		}
		names[f.Name] = true
	}
	if len(names) < 100 {
		t.Errorf("%d faults: the list has shrunk", len(names))
	}
}

func TestCheckFindsABadFault(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Fault{Name: "good", File: "a.go", Old: "one", New: "none", Laws: []int{12}}
	for _, tc := range []struct {
		change func(*Fault)
		want   string
	}{
		{func(*Fault) {}, ""},
		{func(f *Fault) { f.Name = "" }, "no name"},
		{func(f *Fault) { f.File = "b.go" }, "name the file it moved to"},
		{func(f *Fault) { f.Old = "two" }, "2 times"},
		{func(f *Fault) { f.Old = "three" }, "0 times"},
		{func(f *Fault) { f.New = "one" }, "changes nothing"},
		{func(f *Fault) { f.Laws = []int{13} }, "no law 13"},
	} {
		f := good
		tc.change(&f)
		err := f.Check(dir)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", f, err, tc.want)
		}
	}
}

func TestRed(t *testing.T) {
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b_c (0.00s)\nFAIL":             "TestA/b_c",
		"--- FAIL: TestA (0.00s)\n    a_test.go:7: no\nFAIL":                         "TestA",
		"panic: test timed out after 2m0s\n\trunning tests:\n\t\tTestHangs (2m0s)\n": "TestHangs",
		"fatal error: all goroutines are asleep":                                     "all goroutines are asleep",
		"FAIL":                                                                       "(no test named)",
	} {
		if got := Red(out); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}

// TestMutants tries every fault, with -mutants; without, the list is all there is to
// test.
func TestMutants(t *testing.T) {
	if !*mutate {
		return
	}
	chosen := regexp.MustCompile(*only)
	work := make(chan Fault)
	var count struct {
		sync.Mutex
		tried, tables, racks, known int
	}
	begin := time.Now()
	one := func(b *Bench, f Fault) {
		start := time.Now()
		v := b.Try(t.Context(), f)
		took := time.Since(start).Seconds()
		count.Lock()
		defer count.Unlock()
		count.tried++
		switch {
		case v.Err != nil:
			t.Errorf("ERROR     %v", v.Err)
		case v.By != "" && f.Lives != "":
			t.Errorf("CAUGHT    %s: by %s in %.1f s, but the list says that it lives: strike that", f.Name, v.By, took)
		case v.By != "":
			if strings.HasPrefix(v.By, "test/memrack") {
				count.racks++
			} else {
				count.tables++
			}
			t.Logf("caught    %s: by %s in %.1f s", f.Name, v.By, took)
		case f.Lives != "":
			count.known++
			t.Logf("lives     %s: %s", f.Name, f.Lives)
		default:
			t.Errorf("SURVIVED  %s (%s, laws %v) in %.1f s: add the test that is missing, or say in the list why none can be", f.Name, f.File, f.Laws, took)
		}
	}
	var workers sync.WaitGroup
	for i := range 2 {
		b, err := NewBench(t.Context(), root, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := b.Sound(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		workers.Go(func() {
			for f := range work {
				one(b, f)
			}
		})
	}
	for _, f := range Faults() {
		if chosen.MatchString(f.Name) || chosen.MatchString(f.File) {
			work <- f
		}
	}
	close(work)
	workers.Wait()
	t.Logf("%d faults: %d caught by tables, %d by racks, %d live with a reason; %.0f s",
		count.tried, count.tables, count.racks, count.known, time.Since(begin).Seconds())
}
