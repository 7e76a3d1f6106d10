//go:build !linux

package probe

import (
	"context"
	"errors"
	"net/netip"
)

type other struct{}

func theSystem() system { return other{} }

var errNoWay = errors.New("this system's network cannot be asked in this version")

func (other) ready(to netip.Addr) error                      { return carrier(to) }
func (other) echo(context.Context, netip.Addr) (bool, error) { return false, errNoWay }
func (other) rouse(netip.Addr) error                         { return errNoWay }
func (other) neighbour(netip.Addr) (neighbour, error)        { return neighbour{}, errNoWay }
