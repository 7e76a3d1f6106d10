package line

import (
	"bytes"
	_ "embed" // the catalogue's data
	"fmt"
	"slices"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed cables.toml
var cablesTOML []byte

// catalogue reads the embedded data once. That it can be read is held by a test,
// so a panic here is a broken build.
var catalogue = sync.OnceValue(func() []Cable {
	cables, err := parseCatalogue(cablesTOML)
	if err != nil {
		panic("line: embedded catalogue: " + err.Error())
	}
	return cables
})

func parseCatalogue(data []byte) ([]Cable, error) {
	var file struct {
		Cable []cableText `toml:"cable"`
	}
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, fmt.Errorf("cannot read catalogue: %w", err)
	}
	cables := make([]Cable, 0, len(file.Cable))
	for _, t := range file.Cable {
		c, err := t.cable()
		if err != nil {
			return nil, fmt.Errorf("cannot read cable %q: %w", t.Name, err)
		}
		cables = append(cables, c)
	}
	return cables, nil
}

// Catalogue returns every known cable, in the order of the sources. The caller
// owns what it gets.
func Catalogue() []Cable {
	cables := slices.Clone(catalogue())
	for i := range cables {
		cables[i] = cables[i].clone()
	}
	return cables
}

// Lookup returns the known cable of that name or alias.
func Lookup(nameOrAlias string) (Cable, bool) {
	for _, c := range catalogue() {
		if c.Name == nameOrAlias || slices.Contains(c.Aliases, nameOrAlias) {
			return c.clone(), true
		}
	}
	return Cable{}, false
}
