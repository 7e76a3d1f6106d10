//go:build !linux

package cut

import "errors"

// system is this machine.
type system struct{}

func thisSystem() System { return system{} }

var errLinux = errors.New("known for Linux only")

// Quiet implements System.
func (system) Quiet() error { return errLinux }

// Reboot implements System.
func (system) Reboot() error { return errLinux }
