//go:build !linux

package line

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// errConsole is never met here.
var errConsole = errors.New("the console is there")

// Ports can't list on this system: it would have to open each port, which pulses its
// lines.
func Ports(Roots) ([]PortInfo, error) {
	return nil, fmt.Errorf("cannot list serial ports on %s; name the port, such as /dev/cu.usbserial-1410", runtime.GOOS)
}

// Port returns the port at path, of which little is known here.
func Port(_ Roots, path string) (PortInfo, error) {
	if _, err := os.Stat(path); err != nil {
		return PortInfo{}, cannotOpen(path, ErrMissing, "plug the adapter in, or write the path of another port")
	}
	return PortInfo{Path: path, Hidden: true}, nil
}

// Meddlers finds nobody here.
func Meddlers(Roots) []HeldError { return nil }
