//go:build linux && (amd64 || arm64)

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// manager plays the service manager: it keeps the files that a daemon stores
// (sd_pid_notify_with_fds(3)) and passes them to the next start of it
// (sd_listen_fds(3)).
type manager struct {
	t    testing.TB
	path string
	conn *net.UnixConn

	mu    sync.Mutex
	files map[string]*os.File // what is stored, by name
}

func newManager(t testing.TB, dir string) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(dir, "notify"), files: map[string]*os.File{}}
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.listen()
	}()
	t.Cleanup(func() {
		m.conn.Close()
		<-done
		for _, f := range m.files {
			f.Close()
		}
	})
	return m
}

// listen takes what the daemon says until the socket is closed.
func (m *manager) listen() {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := m.conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		switch lines := strings.Split(string(buf[:n]), "\n"); {
		case slices.Contains(lines, "FDSTORE=1"):
			m.keep(lines, oob[:oobn])
		case slices.Contains(lines, "FDSTOREREMOVE=1"):
			m.forget(lines)
		}
	}
}

// forget closes the file of a name.
func (m *manager) forget(lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, f := range m.files {
		if slices.Contains(lines, "FDNAME="+name) {
			f.Close()
			delete(m.files, name)
		}
	}
}

// keep stores the file that came with a message.
func (m *manager) keep(lines []string, oob []byte) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		m.t.Errorf("FDSTORE=1 without a file: %v", err)
		return
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		m.t.Errorf("FDSTORE=1 without a file: %v", err)
		return
	}
	unix.CloseOnExec(fds[0])
	name := "stored"
	for _, l := range lines {
		if n, ok := strings.CutPrefix(l, "FDNAME="); ok {
			name = n
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.files[name]; old != nil {
		old.Close()
	}
	m.files[name] = os.NewFile(uintptr(fds[0]), name)
}

// equip gives a command the manager's socket and the files in store.
func (m *manager) equip(cmd *exec.Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path)
	var names []string
	for name, f := range m.files {
		names = append(names, name)
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if len(names) > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
}

// stored reports whether a file of that name is in store.
func (m *manager) stored(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[name] != nil
}
