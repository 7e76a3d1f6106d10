package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func TestMessageIsForPeople(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("plain"), "plain"},
		{status.Error(codes.NotFound, "there is no node"), "there is no node"},
		{
			status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`),
			"dial tcp 127.0.0.1:1: connect: connection refused",
		},
		{
			status.Error(codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: wrong rack"`),
			"wrong rack",
		},
		{status.Error(codes.Unavailable, `connection error: desc = "not closed`), `connection error: desc = "not closed`},
	} {
		if got := Message(tt.err); got != tt.want {
			t.Errorf("message %q, want %q", got, tt.want)
		}
	}
}

func TestRefusedDialSaysWhy(t *testing.T) {
	// A port that was free a moment ago: nobody listens there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	conn, err := Dial(l.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS13}, new(net.Dialer).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = upsv1.NewPowerServiceClient(conn).GetStatus(t.Context(), &upsv1.GetStatusRequest{})
	want := "dial tcp " + l.Addr().String() + ": connect: connection refused"
	if !Unreachable(err) || Message(err) != want {
		t.Errorf("err %q, want %q", Message(err), want)
	}
}

func TestLaw10ServeTriesAgainUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began, tries := time.Now(), 0
		var told []string
		err := Serve(ctx, func() (*grpc.Server, net.Listener, error) {
			if tries++; tries <= 2 {
				return nil, nil, errors.New("read-only file system")
			}
			return grpc.NewServer(), bufconn.Listen(1), nil
		}, time.Second, func(err error) {
			if err == nil {
				told = append(told, "works after "+time.Since(began).String())
				cancel()
				return
			}
			told = append(told, err.Error())
		})
		if want := []string{"read-only file system", "read-only file system", "works after 20s"}; err != nil || !slices.Equal(told, want) {
			t.Errorf("err %v, told %q, want %q", err, told, want)
		}
	})
}
