package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childVar names what a re-executed copy of this test program is to do.
const childVar = "LASTWATT_TEST_CHILD"

// TestMain turns the test program into a child when it is asked to be one:
// signals, environment and descriptors belong to a whole process.
func TestMain(m *testing.M) {
	role, isChild := os.LookupEnv(childVar)
	if !isChild {
		os.Exit(m.Run())
	}
	if err := child(role); err != nil {
		fmt.Println("error:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

func child(role string) error {
	quiet := slog.New(slog.DiscardHandler)
	switch role {
	case "stops":
		return Run(context.Background(), quiet, Func("worker", func(ctx context.Context) error {
			fmt.Println("up")
			<-ctx.Done()
			fmt.Println(context.Cause(ctx), errors.Is(context.Cause(ctx), ErrSignal))
			return nil
		}))
	case "hangs":
		return Run(context.Background(), quiet, Func("worker", func(ctx context.Context) error {
			fmt.Println("up")
			<-ctx.Done()
			fmt.Println("hanging")
			select {}
		}))
	case "notify":
		return Run(context.Background(), quiet, ready{}, Func("worker", func(ctx context.Context) error {
			fmt.Println("up")
			<-ctx.Done()
			return nil
		}))
	case "reloads":
		return RunGenerations(context.Background(), quiet, Reload[string]{
			Start: func() (string, error, error) { return "a", nil, nil },
			Load: func() (string, error) {
				if _, err := os.Stat(os.Args[1]); err != nil {
					return "", err
				}
				return "b", nil
			},
			Same: func(a, b string) bool { return a == b },
			Build: func(c string) (Generation, error) {
				return Generation{Tasks: []Task{ready{}, Func("worker", func(ctx context.Context) error {
					fmt.Println("up by", c)
					<-ctx.Done()
					return nil
				})}}, nil
			},
		})
	case "store":
		f, err := os.Open(os.Args[1])
		if err != nil {
			return err
		}
		return StoreFD("ups-main", f)
	case "stored":
		for name, f := range StoredFDs() {
			b, err := io.ReadAll(f)
			out, _ := exec.Command("/bin/sh", "-c", fmt.Sprintf("test -e /dev/fd/%d && echo inherited || echo closed", f.Fd())).Output()
			fmt.Println(name, string(b), err, strings.TrimSpace(string(out)))
		}
		return nil
	case "lock":
		_, err := Lock(os.Args[1])
		if err == nil {
			fmt.Println("up")
			_, _ = io.ReadAll(os.Stdin)
		}
		return err
	}
	return fmt.Errorf("no such role: %s", role)
}

// ready is ready at once.
type ready struct{}

func (ready) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (ready) String() string                { return "ready" }
func (ready) Ready() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// spawn starts this test program in a role.
func spawn(t *testing.T, role string, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{childVar + "=" + role, "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + t.TempDir()}, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, out: out, in: in}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return p
}

type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out io.Reader
	in  io.WriteCloser
}

// line returns the next line that the child prints.
func (p *process) line() string {
	p.t.Helper()
	var b [1]byte
	var s strings.Builder
	for {
		if _, err := p.out.Read(b[:]); err != nil {
			p.t.Fatalf("the child printed %q and then %v", s.String(), err)
		}
		if b[0] == '\n' {
			return s.String()
		}
		s.WriteByte(b[0])
	}
}

// rest returns all that the child still prints, and how it ended.
func (p *process) rest() (string, error) {
	b, _ := io.ReadAll(p.out)
	return string(b), p.cmd.Wait()
}

// manager is a service manager's notification socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "lw") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t: t, conn: conn, path: path}
}

// next returns the next message and the file that came with it, if any.
func (m *manager) next() (string, *os.File) {
	m.t.Helper()
	b, oob := make([]byte, 4096), make([]byte, 256)
	_ = m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, oobn, _, _, err := m.conn.ReadMsgUnix(b, oob)
	if err != nil {
		m.t.Fatalf("the service manager was told nothing: %v", err)
	}
	return string(b[:n]), passed(m.t, oob[:oobn])
}
