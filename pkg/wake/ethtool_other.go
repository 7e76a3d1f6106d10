//go:build !linux

package wake

import "errors"

func ethtoolWOL(string, bool) (can, is uint32, err error) {
	return 0, 0, errors.New("network cards can't be armed on this system")
}
