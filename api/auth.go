package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// Peer is who calls: a member of the rack, or somebody on the local socket.
type Peer struct {
	// Name is the member's name, or "uid 1000" on the local socket; for people,
	// and for a node the only name under which it may report.
	Name string
	// Roles is everything this peer may act as. Empty: nobody.
	Roles []upsv1.Role
}

// Identify finds out who is behind a call's connection. An error refuses the call.
type Identify func(ctx context.Context) (Peer, error)

type peerKey struct{}

// PeerFrom returns the peer that the interceptor let in.
func PeerFrom(ctx context.Context) Peer {
	p, _ := ctx.Value(peerKey{}).(Peer)
	return p
}

// Allowed returns the roles that may call each RPC, by full method name
// ("/ups.v1.PowerService/Attach"), as the proto says, and as [foreign] does for
// what is not in it. An RPC that isn't in either, or has no roles, can't be called.
func Allowed() map[string][]upsv1.Role {
	allowed := foreign()
	services := upsv1.File_ups_v1_ups_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			name := fmt.Sprintf("/%s/%s", services.Get(i).FullName(), m.Name())
			options, _ := m.Options().(*descriptorpb.MethodOptions)
			roles, _ := proto.GetExtension(options, upsv1.E_Allow).([]upsv1.Role)
			allowed[name] = roles
		}
	}
	return allowed
}

// guard is the one place where a call is let in or refused.
type guard struct {
	identify Identify
	allowed  map[string][]upsv1.Role
}

// admit returns ctx with the peer in it, or why the call is refused.
func (g guard) admit(ctx context.Context, method string) (context.Context, error) {
	peer, err := g.identify(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	peer.Roles = append(slices.Clone(peer.Roles), upsv1.Role_ROLE_ANYONE)
	for _, r := range g.allowed[method] {
		if r != upsv1.Role_ROLE_UNSPECIFIED && slices.Contains(peer.Roles, r) {
			return context.WithValue(ctx, peerKey{}, peer), nil
		}
	}
	return nil, status.Errorf(codes.PermissionDenied, "%s may not call %s; it is for %s",
		peer.Name, method[strings.LastIndex(method, "/")+1:], roleNames(g.allowed[method]))
}

func (g guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer recovered(info.FullMethod, &err)
	ctx, err = g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (g guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer recovered(info.FullMethod, &err)
	ctx, err := g.admit(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return next(srv, admitted{ss, ctx})
}

// recovered turns a panic in a handler into an error of that one call: one bad
// request must not take down the protection of everybody else (law 10).
func recovered(method string, err *error) {
	if r := recover(); r != nil {
		*err = status.Errorf(codes.Internal, "%s broke: %v", method, r)
	}
}

// admitted is a stream whose context knows the peer.
type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the stream's context with the peer in it.
func (a admitted) Context() context.Context { return a.ctx }

// roleNames returns roles for people: "node, operator".
func roleNames(roles []upsv1.Role) string {
	var names []string
	for _, r := range roles {
		names = append(names, strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
