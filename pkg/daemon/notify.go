package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifyTimeout bounds one datagram to the service manager, whose queue may be
// full while it is busy.
const notifyTimeout = 2 * time.Second

// firstFD is the first passed descriptor: SD_LISTEN_FDS_START, sd_listen_fds(3).
const firstFD = 3

// Notify sends one state, such as "READY=1" or "STATUS=…", to the service
// manager, as sd_notify(3) says. Without a service manager it does nothing.
func Notify(state string) error { return notify(state, nil) }

// StoreFD hands f to the service manager's store, so that it stays open over a
// restart of this program and comes back by [StoredFDs] under name. f stays the
// caller's too. Storing the same open file again does nothing.
func StoreFD(name string, f *os.File) error {
	if !validFDName(name) {
		return fmt.Errorf("cannot store a descriptor as %q: a name has 1 to 255 printable ASCII characters without \":\"", name)
	}
	// FDPOLL=0: a tty that hung up must stay stored until we drop it ourselves.
	return notify("FDSTORE=1\nFDNAME="+name+"\nFDPOLL=0", f)
}

// DropFD removes every stored descriptor of that name.
func DropFD(name string) error {
	if !validFDName(name) {
		return fmt.Errorf("cannot drop the stored descriptor %q: not a name", name)
	}
	return Notify("FDSTOREREMOVE=1\nFDNAME=" + name)
}

// validFDName: the rules of FDNAME= in sd_notify(3).
func validFDName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return name != "" && len(name) <= 255
}

func notify(state string, f *os.File) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		return fmt.Errorf("cannot reach the service manager: %w", err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(notifyTimeout)) // a connected unix socket takes deadlines
	if f == nil {
		_, err = c.Write([]byte(state))
	} else {
		err = sendFD(c, state, f)
	}
	if err != nil {
		return fmt.Errorf("cannot write to the service manager: %w", err)
	}
	return nil
}

// sendFD passes f by SCM_RIGHTS (unix(7)). It goes by the raw connections because
// File.Fd would make f blocking under the feet of whoever reads it, and because
// WriteMsgUnix refuses datagrams on a connected socket.
func sendFD(c *net.UnixConn, state string, f *os.File) error {
	from, err := f.SyscallConn()
	if err != nil {
		return err
	}
	to, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	send := func(fd uintptr) error {
		return to.Write(func(sock uintptr) (done bool) {
			sent = unix.Sendmsg(int(sock), []byte(state), unix.UnixRights(int(fd)), nil, unix.MSG_NOSIGNAL)
			return !errors.Is(sent, unix.EAGAIN) // then wait until there is room
		})
	}
	var reached error
	if err := from.Control(func(fd uintptr) { reached = send(fd) }); err != nil {
		return err
	}
	return errors.Join(reached, sent)
}

// StoredFDs returns the descriptors that the service manager passed at start, by
// name, as sd_listen_fds(3) says; of several with one name the newest. They are
// the caller's, closed on exec, and must be asked for once only, before any other
// descriptor is opened. Empty when there are none.
func StoredFDs() map[string]*os.File {
	files := map[string]*os.File{}
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return files // meant for another process: our parent
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 {
		return files
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		fd := firstFD + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); errors.Is(err, unix.EBADF) {
			continue
		}
		unix.CloseOnExec(fd)
		name := "unknown" // what sd_listen_fds_with_names(3) says then
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		if old := files[name]; old != nil {
			_ = old.Close()
		}
		files[name] = os.NewFile(uintptr(fd), name)
	}
	return files
}

// watchdogInterval is how often the service manager wants to hear from us; 0:
// it does not (sd_watchdog_enabled(3)).
func watchdogInterval() time.Duration {
	if p := os.Getenv("WATCHDOG_PID"); p != "" && p != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}
