package api

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// statusOnly is a PowerService that tells who called.
type statusOnly struct {
	upsv1.UnimplementedPowerServiceServer
	upsv1.UnimplementedControlServiceServer
	peers chan Peer
}

func (s statusOnly) GetStatus(ctx context.Context, _ *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	s.peers <- PeerFrom(ctx)
	return &upsv1.GetStatusResponse{}, nil
}

func (s statusOnly) Release(ctx context.Context, _ *upsv1.ReleaseRequest) (*upsv1.ReleaseResponse, error) {
	s.peers <- PeerFrom(ctx)
	return &upsv1.ReleaseResponse{}, nil
}

func TestSocketKnowsWhoCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "lw.sock")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Fatalf("socket %v %v, want mode 0666", info, err)
	}
	srv := NewServer(LocalCredentials(), IdentifyLocal)
	impl := statusOnly{peers: make(chan Peer, 2)}
	upsv1.RegisterPowerServiceServer(srv, impl)
	upsv1.RegisterControlServiceServer(srv, impl)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	defer func() { Stop(srv, time.Second); <-done }()

	conn, err := DialLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := upsv1.NewPowerServiceClient(conn).GetStatus(t.Context(), &upsv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	if p := <-impl.peers; p.Name == "" || p.Roles[0] != upsv1.Role_ROLE_VIEWER {
		t.Errorf("peer %+v, want a name and the viewer's role", p)
	}
	// The daemon's own user, who runs this test, may act.
	if _, err := upsv1.NewControlServiceClient(conn).Release(t.Context(), &upsv1.ReleaseRequest{}); err != nil {
		t.Errorf("the daemon's own user may not act: %v", err)
	}
}

func TestListenLocal(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close() // as after kill -9: the file is there, nobody answers
	again, err := ListenLocal(dead)
	if err != nil {
		t.Fatalf("a dead daemon's socket is not replaced: %v", err)
	}
	defer func() { _ = again.Close() }()
	if _, err := ListenLocal(dead); err == nil || !strings.Contains(err.Error(), "another daemon answers there") {
		t.Errorf("a living daemon's socket: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenLocal(file); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file in the socket's place: %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "mine" {
		t.Error("the file in the socket's place was lost")
	}
}
