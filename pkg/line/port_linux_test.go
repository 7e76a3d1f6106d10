package line

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	for _, tt := range []struct {
		name, path string
		kind       error
		want       string
	}{
		{"missing", filepath.Join(dir, "ttyUSB0"), ErrMissing, "no such port; plug the adapter in, or write a path that ls /dev/serial/by-id /dev/ttyS* shows"},
		{"a file", file, ErrNotTTY, "not a serial port; write the path of a serial port, such as one in /dev/serial/by-id"},
		{"a directory", dir, ErrNotTTY, "not a serial port; write the path of a serial port, such as one in /dev/serial/by-id"},
		{"another device", "/dev/null", ErrNotTTY, "not a serial port; write the path of a serial port, such as one in /dev/serial/by-id"},
		{"a terminal", slave.Name(), ErrNoModemLines, "its driver has no modem lines; use a port with the full set of wires"},
		{"through a file", filepath.Join(file, "x"), nil, "stat " + file + "/x: not a directory; write the path of a serial port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := Lookup("liebert-powersure")
			_, err := openPort(WatcherOptions{Path: tt.path, Cable: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, nil)
			if err == nil || tt.kind != nil && !errors.Is(err, tt.kind) || err.Error() != "cannot open "+tt.path+": "+tt.want {
				t.Errorf("%v\nwant cannot open %s: %s", err, tt.path, tt.want)
			}
		})
	}
}

func TestRefusedOpensAreExplained(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		errno unix.Errno
		kind  error
		want  string
	}{
		{unix.EACCES, ErrPermission, "permission denied; run as root, or add this user to the group " + groupOf("/dev/null")},
		{unix.ENOENT, ErrMissing, "no such port; plug the adapter in"},
		{unix.ENXIO, ErrLost, "the port is gone: no such device or address; check the adapter and its plug"},
		{unix.EIO, ErrLost, "the port is gone: input/output error; check the adapter and its plug"},
		{unix.EMFILE, unix.EMFILE, "too many open files; check the adapter and the path"},
	} {
		if err := explainOpen("/dev/null", tt.errno); !errors.Is(err, tt.kind) || err.Error() != "cannot open /dev/null: "+tt.want {
			t.Errorf("%v\nwant cannot open /dev/null: %s", err, tt.want)
		}
	}
	err := explainOpen(filepath.Join(t.TempDir(), "free"), unix.EBUSY)
	if h := new(HeldError); !errors.As(err, &h) || h.PID != 0 || !strings.Contains(err.Error(), ": held by another process; stop that program, or keep it off this port") {
		t.Errorf("%v, want a HeldError by another process", err)
	}
	if err := explainSetup("/dev/ttyS9", unix.EIO); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "there may be no hardware behind this name") {
		t.Errorf("EIO at the first call: %v", err)
	}
	if g := groupOf("/no/such"); g != "that owns it" {
		t.Errorf("group of nothing: %q", g)
	}
}

func TestWantedTermios(t *testing.T) {
	t.Parallel()
	before := unix.Termios{
		Iflag: unix.ICRNL | unix.IXON | unix.IUTF8, Oflag: unix.OPOST | unix.ONLCR,
		Lflag: unix.ECHO | unix.ICANON | unix.ISIG | unix.ECHOE,
		Cflag: unix.B38400 | unix.CS7 | unix.PARENB | unix.HUPCL | unix.CRTSCTS,
	}
	raw := unix.Termios{Iflag: unix.IUTF8, Oflag: unix.ONLCR, Lflag: unix.ECHOE, Cflag: unix.B38400 | unix.CS8 | unix.CLOCAL | unix.CREAD}
	if got := wanted(before, false); got != raw {
		t.Errorf("not parked: %+v, want %+v", got, raw)
	}
	raw.Cflag &^= unix.B38400
	parked := wanted(before, true)
	if parked != raw {
		t.Errorf("parked: %+v, want %+v", parked, raw)
	}
	if wanted(parked, false) != parked || wanted(parked, true) != parked {
		t.Error("a parked port would be set again")
	}
}

func TestBitsOfTheKernel(t *testing.T) {
	t.Parallel()
	for ls := Lines(0); ls <= Inputs|Outputs; ls++ {
		known := ls & (Inputs | Outputs)
		if got := fromBits(toBits(ls) | out2); got != known {
			t.Fatalf("%v became %v", known, got)
		}
	}
	if toBits(DTR|RI) != unix.TIOCM_DTR|unix.TIOCM_RI {
		t.Error("bits are mixed up")
	}
	// Without OUT2 a PC's UART would raise no interrupt, and no wait would end.
	if got := outputBits(RTS | CTS); got != unix.TIOCM_RTS|0x4000 {
		t.Errorf("RTS is set by %#x", got)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if h := holder(slave.Name()); h != nil {
		t.Errorf("%v, but it is only this process", h)
	}
	cmd := exec.Command("sleep", "600")
	cmd.ExtraFiles = []*os.File{slave}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if h := holder(slave.Name()); h == nil || *h != (HeldError{PID: cmd.Process.Pid, Name: "sleep"}) {
		t.Errorf("%v, want sleep (pid %d)", h, cmd.Process.Pid)
	}
}

// A stored descriptor that is no port is closed, and the path opened.
func TestUselessStoredFile(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := Lookup("liebert-powersure")
	path := filepath.Join(t.TempDir(), "ttyUSB0")
	_, err = openPort(WatcherOptions{Path: path, Cable: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, null)
	if !errors.Is(err, ErrMissing) {
		t.Errorf("%v, want %v", err, ErrMissing)
	}
	if err := null.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the stored file was left open: %v", err)
	}
}
