//go:build !linux

package wake

import (
	"errors"
	"net"
)

func sendFrame(net.Interface, []byte) error { return errors.New("no frames are sent on this system") }
