//go:build linux && (amd64 || arm64)

package line_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// helperMark makes this test binary a program that watches a port: see runHelper.
const helperMark = "LINE_TEST_HELPER"

func TestMain(m *testing.M) {
	vtty.Main()
	if os.Getenv(helperMark) != "" {
		if err := runHelper(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// told is what the helper writes for each sample, one line of JSON.
type told struct {
	Lines  line.Lines
	Pulses uint32
	Err    string
}

// Descriptors of the helper beside the standard three.
const (
	storeFD = 3 // a socket that takes the opened port
	portFD  = 4 // the port, stored by an earlier helper
)

// transmit opens the port, sends on its data wire and closes it.
func transmit(path string, c line.Cable) error {
	o, err := line.OpenPort(path, c)
	if err != nil {
		return err
	}
	defer o.Port.Close()
	wire := o.Port.(line.Transmitter)
	if err := errors.Join(wire.Break(true), wire.Break(false)); err != nil {
		return err
	}
	_, err = wire.Send([]byte("UU"))
	return err
}

// runHelper watches the port for the cable until its input ends. How is "" or one
// of: transmit (only that), stored (the port is open at portFD), plain (without CAP_SYS_ADMIN, as a
// service that is not root).
func runHelper(path, cable, how string) error {
	c, ok := line.Lookup(cable)
	if !ok {
		return fmt.Errorf("no cable %q", cable)
	}
	if how == "transmit" {
		return transmit(path, c)
	}
	o := line.WatcherOptions{Path: path, Cable: c, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	o.OnOpen = func(f *os.File) {
		_ = unix.Sendmsg(storeFD, []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0)
	}
	switch how {
	case "stored":
		unix.CloseOnExec(portFD)
		o.File = os.NewFile(portFD, path)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	w := line.NewWatcher(o)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // whose capabilities count at the open
		if how == "plain" {
			if err := dropAdmin(); err != nil {
				done <- fmt.Errorf("cannot drop CAP_SYS_ADMIN: %w", err)
				return
			}
		}
		done <- w.Run(ctx)
	}()
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case err := <-done:
			return err
		case s := <-w.Samples():
			t := told{Lines: s.Lines, Pulses: s.Pulses}
			if s.Err != nil {
				t.Err = s.Err.Error()
			}
			if err := out.Encode(t); err != nil {
				return err
			}
		}
	}
}

// dropAdmin takes CAP_SYS_ADMIN, which looks through TIOCEXCL, from this thread
// (capset(2)).
func dropAdmin() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
	return unix.Capset(&header, &data[0])
}
