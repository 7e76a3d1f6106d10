package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func TestEveryRPCNamesItsRoles(t *testing.T) {
	allowed := Allowed()
	if len(allowed) < 12 {
		t.Fatalf("found %d RPCs in the proto, want all of them: %v", len(allowed), allowed)
	}
	for method, roles := range allowed {
		if len(roles) == 0 || slices.Contains(roles, upsv1.Role_ROLE_UNSPECIFIED) {
			t.Errorf("%s names no role, or the unspecified one: nobody could call it", method)
		}
		anyone := slices.Contains(roles, upsv1.Role_ROLE_ANYONE)
		if anyone != (method == "/ups.v1.TrustService/Join") {
			t.Errorf("%s open to anyone: %v; only Join may be", method, anyone)
		}
		if strings.HasPrefix(method, "/ups.v1.ControlService/") &&
			(slices.Contains(roles, upsv1.Role_ROLE_NODE) || slices.Contains(roles, upsv1.Role_ROLE_MASTER)) {
			t.Errorf("%s may be called by a machine; machines don't steer", method)
		}
	}
}

func TestLaw08GuardDeniesByDefault(t *testing.T) {
	const attach, shutdown, join = "/ups.v1.PowerService/Attach", "/ups.v1.ControlService/Shutdown", "/ups.v1.TrustService/Join"
	node, viewer, local := upsv1.Role_ROLE_NODE, upsv1.Role_ROLE_VIEWER, upsv1.Role_ROLE_LOCAL
	for _, tt := range []struct {
		name   string
		peer   Peer
		err    error
		method string
		want   codes.Code
	}{
		{"a node attaches", Peer{Name: "web1", Roles: []upsv1.Role{node}}, nil, attach, codes.OK},
		{"a node shuts down another", Peer{Name: "web1", Roles: []upsv1.Role{node}}, nil, shutdown, codes.PermissionDenied},
		{"a viewer shuts down a node", Peer{Name: "eve", Roles: []upsv1.Role{viewer}}, nil, shutdown, codes.PermissionDenied},
		{"root on the socket shuts down a node", Peer{Name: "root", Roles: []upsv1.Role{viewer, local}}, nil, shutdown, codes.OK},
		{"nobody in particular joins", Peer{Name: "a key"}, nil, join, codes.OK},
		{"nobody in particular attaches", Peer{Name: "a key"}, nil, attach, codes.PermissionDenied},
		{"an RPC that the proto doesn't have", Peer{Name: "web1", Roles: []upsv1.Role{node}}, nil, "/ups.v1.PowerService/Kill", codes.PermissionDenied},
		{"who can't be told", Peer{}, errors.New("no certificate"), join, codes.Unauthenticated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := guard{identify: func(context.Context) (Peer, error) { return tt.peer, tt.err }, allowed: Allowed()}
			called := false
			_, err := g.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: tt.method}, func(ctx context.Context, _ any) (any, error) {
				called = true
				if got := PeerFrom(ctx).Name; got != tt.peer.Name {
					t.Errorf("the handler sees peer %q, want %q", got, tt.peer.Name)
				}
				return nil, nil
			})
			if status.Code(err) != tt.want || called != (tt.want == codes.OK) {
				t.Errorf("err %v, handler called: %v; want %v", err, called, tt.want)
			}
		})
	}
}

func TestLaw10PanicInAHandlerIsOneCallsError(t *testing.T) {
	g := guard{
		identify: func(context.Context) (Peer, error) {
			return Peer{Roles: []upsv1.Role{upsv1.Role_ROLE_VIEWER}}, nil
		},
		allowed: Allowed(),
	}
	_, err := g.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/ups.v1.PowerService/GetStatus"},
		func(context.Context, any) (any, error) { panic("boom") })
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "GetStatus broke: boom") {
		t.Errorf("err %v, want Internal that says what broke", err)
	}
}
