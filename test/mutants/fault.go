package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Fault is one way to be wrong.
type Fault struct {
	Name string // the fault in words, unique
	File string // from the root of the tree
	Old  string // what stands there, exactly once
	New  string // what is to stand there instead
	Laws []int  // which laws it breaks; none: only what an owner expects

	// Lives says why no test can see it, or why none has to; empty: one has to.
	Lives string
}

// Faults returns every fault, the pure core's first.
func Faults() []Fault {
	return slices.Concat(powerFaults, batteryFaults, policyFaults, nodeFaults, healthFaults, masterFaults, agentFaults, wireFaults,
		fleetFaults, offFaults, sealFaults, cutFaults, backFaults, planFaults, drillFaults)
}

// Check says what is wrong with f as a description, against the tree at root.
func (f Fault) Check(root string) error {
	text, err := os.ReadFile(filepath.Join(root, f.File))
	if err != nil {
		return fmt.Errorf("%s: %w; name the file it moved to", f.Name, err)
	}
	switch n := strings.Count(string(text), f.Old); {
	case f.Name == "" || f.Old == "":
		return fmt.Errorf("a fault of %s has no name or no text to replace", f.File)
	case n != 1:
		return fmt.Errorf("%s: its text stands %d times in %s, not once; write what stands there now:\n%s", f.Name, n, f.File, f.Old)
	case f.Old == f.New:
		return fmt.Errorf("%s: it changes nothing", f.Name)
	}
	for _, law := range f.Laws {
		if law < 1 || law > 12 {
			return fmt.Errorf("%s: there is no law %d", f.Name, law)
		}
	}
	return nil
}

// dir is the folder of f's package.
func (f Fault) dir() string { return filepath.ToSlash(filepath.Dir(f.File)) }
