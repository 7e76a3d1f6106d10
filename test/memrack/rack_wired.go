package memrack

import (
	"fmt"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// NewWired is New with the UPS on a wire: what it says is no pretence.
func NewWired(t *testing.T, extra string) (*Rack, *Wire) {
	c, _ := line.Lookup("liebert-powersure")
	r, w := newRack(t), NewWire(c, Driver{}, 1)
	m := r.addMaster("rack1", "master", fmt.Sprintf("[[ups]]\nname = \"main\"\nport = \"/dev/wire\"\ncable = %q\n%s", c.Name, extra), r.switchedOn(shutdown.None()))
	m.open = OpenWires(map[string]*Wire{"/dev/wire": w})
	r.StartMaster()
	return r, w
}
