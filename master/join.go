package master

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// trustService is the only door for a key that is not admitted yet.
type trustService struct {
	upsv1.UnimplementedTrustServiceServer
	m *Master
}

// Join admits the caller's key by a token. The key must be the one of this
// connection: nobody is admitted for a key that he doesn't hold.
func (s trustService) Join(ctx context.Context, req *upsv1.JoinRequest) (*upsv1.JoinResponse, error) {
	state, err := tlsState(ctx)
	if err != nil {
		return nil, api.Error(codes.Unauthenticated, err)
	}
	if key, err := trust.PeerKey(state); err != nil || !bytes.Equal(key, req.GetPublicKey()) {
		return nil, api.Error(codes.Unauthenticated, errors.New("the key to be admitted is not the one of this connection"))
	}
	name, from := req.GetName(), remoteAddr(ctx)
	if err := trust.CheckName(name); err != nil {
		return nil, api.Error(codes.InvalidArgument, err)
	}
	if name == s.m.cfg.Name {
		return nil, api.Error(codes.PermissionDenied, fmt.Errorf("the name %s is the master's own; set another name in agent.toml", name))
	}
	if err := s.m.tries.Try(s.m.now(), from, req.GetSecret()); err != nil {
		return nil, api.Error(codes.ResourceExhausted, err)
	}
	cert, ca, err := s.m.authority.Load().Admit(s.m.now(), s.m.boot, req.GetSecret(), name, req.GetPublicKey())
	if err != nil {
		s.m.event("node/"+name, "join", fmt.Sprintf("refused, from %s: %v", from, err))
		if errors.Is(err, trust.ErrNameTaken) {
			s.m.hub.claimed(name, from.String())
		}
		return nil, api.Error(codes.PermissionDenied, err)
	}
	s.m.tries.Good(from)
	s.m.hub.admitted(name)
	s.m.proving.forget(name) // of another machine, or of none
	s.m.recovery.forget(name)
	s.m.expectMembers()
	s.m.event("node/"+name, "join", fmt.Sprintf("admitted, from %s", from))
	return &upsv1.JoinResponse{Certificate: cert, Ca: ca, Master: s.m.cfg.Name}, nil
}

// remoteAddr returns where a call comes from.
func remoteAddr(ctx context.Context) net.Addr {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr
	}
	return &net.TCPAddr{}
}

// identify says who is behind a connection. A key that nobody admitted is let in
// as nobody in particular, which opens one door: Join.
func (m *Master) identify(ctx context.Context) (api.Peer, error) {
	state, err := tlsState(ctx)
	if err != nil {
		return api.Peer{}, err
	}
	who, err := m.authority.Load().Identify(state)
	if err != nil {
		return api.Peer{Name: fmt.Sprintf("a key that is not admitted (%v)", err)}, nil
	}
	return api.Peer{Name: who.Name, Roles: api.RolesOf(who.Role)}, nil
}

// tlsState returns what TLS knows of a call's connection.
func tlsState(ctx context.Context) (tls.ConnectionState, error) {
	p, _ := peer.FromContext(ctx)
	if p != nil {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			return info.State, nil
		}
	}
	return tls.ConnectionState{}, errors.New("this connection has no TLS")
}
