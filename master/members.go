package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// errNoKeys says that the disk has not given the rack's keys yet.
var errNoKeys = errors.New("the rack's keys could not be read yet; upsctl status says why")

// keys returns the rack's authority, or why there is none yet.
func (m *Master) keys() (*trust.Authority, error) {
	if a := m.authority.Load(); a != nil {
		return a, nil
	}
	return nil, api.Error(codes.FailedPrecondition, errNoKeys)
}

// CreateToken makes a one-use token by which one machine or person joins.
func (s controlService) CreateToken(ctx context.Context, req *upsv1.CreateTokenRequest) (*upsv1.CreateTokenResponse, error) {
	role, ok := api.ToTrustRole(req.GetRole())
	if !ok {
		return nil, api.Error(codes.InvalidArgument, errors.New("a token is for an agent, an operator or a viewer"))
	}
	keys, err := s.m.keys()
	if err != nil {
		return nil, err
	}
	o := trust.TokenOptions{Role: role, TTL: req.GetTtl().AsDuration(), Replace: req.GetReplace()}
	if o.Replace != "" {
		o.Role = trust.RoleNone // the member's own
	}
	if o.TTL == 0 {
		o.TTL = trust.DefaultTTL
	}
	token, err := keys.CreateToken(s.m.now(), s.m.boot, o)
	switch {
	case errors.Is(err, trust.ErrNoMember):
		return nil, api.Error(codes.NotFound, err)
	case err != nil:
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	whom := "one " + role.String()
	if o.Replace != "" {
		whom = "the place of " + o.Replace
	}
	s.m.event("master/"+s.m.cfg.Name, "token", fmt.Sprintf("made for %s by %s, good for %s", whom, api.PeerFrom(ctx).Name, o.TTL))
	return &upsv1.CreateTokenResponse{Token: token, Ttl: durationpb.New(o.TTL)}, nil
}

// ListTokens tells which tokens still let somebody in.
func (s controlService) ListTokens(context.Context, *upsv1.ListTokensRequest) (*upsv1.ListTokensResponse, error) {
	keys, err := s.m.keys()
	if err != nil {
		return nil, err
	}
	out := &upsv1.ListTokensResponse{}
	for _, t := range keys.ListTokens(s.m.now(), s.m.boot) {
		out.Tokens = append(out.Tokens, &upsv1.TokenInfo{
			Id: t.ID, Role: api.FromTrustRole(t.Role), Left: durationpb.New(t.Left), Replace: t.Replace, UsedBy: t.UsedBy,
		})
	}
	return out, nil
}

// RevokeToken ends a token.
func (s controlService) RevokeToken(ctx context.Context, req *upsv1.RevokeTokenRequest) (*upsv1.RevokeTokenResponse, error) {
	keys, err := s.m.keys()
	if err != nil {
		return nil, err
	}
	err = keys.RevokeToken(req.GetId())
	switch {
	case errors.Is(err, trust.ErrNoToken):
		return nil, api.Error(codes.NotFound, err)
	case err != nil:
		return nil, api.Error(codes.Internal, err)
	}
	s.m.event("master/"+s.m.cfg.Name, "token", "one revoked by "+api.PeerFrom(ctx).Name)
	return &upsv1.RevokeTokenResponse{}, nil
}

// RemoveMember cuts a node or a person off at once, and for ever.
func (s controlService) RemoveMember(ctx context.Context, req *upsv1.RemoveMemberRequest) (*upsv1.RemoveMemberResponse, error) {
	return &upsv1.RemoveMemberResponse{}, s.m.remove(req.GetName(), "removed by "+api.PeerFrom(ctx).Name)
}

// Leave takes the calling node off the roster, for ever.
func (s powerService) Leave(ctx context.Context, _ *upsv1.LeaveRequest) (*upsv1.LeaveResponse, error) {
	return &upsv1.LeaveResponse{}, s.m.remove(api.PeerFrom(ctx).Name, "left")
}

// remove strikes a member off and ends everything that it has open. That happens
// also where the disk fails: whoever is sent away goes now.
func (m *Master) remove(name, how string) error {
	keys, err := m.keys()
	if err != nil {
		return err
	}
	key := ""
	for _, member := range keys.Members() {
		if member.Name == name {
			key = member.Fingerprint
		}
	}
	err = keys.Remove(name)
	if errors.Is(err, trust.ErrNoMember) {
		return api.Error(codes.NotFound, err)
	}
	m.hub.remove(name)
	m.proving.forget(name)
	m.recovery.forget(name)
	if door := m.door.Load(); door != nil && key != "" {
		// The answer to one who leaves by itself is still on its way.
		time.AfterFunc(lastWord, func() { door.Drop(key) })
	}
	if err != nil {
		how += ", but " + err.Error()
	}
	m.event("node/"+name, "member", how)
	m.save()
	return api.Error(codes.Internal, err)
}

// lastWord is how long what was said to a removed member may take to arrive. Its
// calls are refused from the first moment.
const lastWord = 100 * time.Millisecond

// ExportTrust gives out the rack's CA and roster under a passphrase.
func (s controlService) ExportTrust(ctx context.Context, req *upsv1.ExportTrustRequest) (*upsv1.ExportTrustResponse, error) {
	keys, err := s.m.keys()
	if err != nil {
		return nil, err
	}
	file, err := keys.Export(req.GetPassphrase())
	if err != nil {
		return nil, api.Error(codes.InvalidArgument, err)
	}
	s.m.event("master/"+s.m.cfg.Name, "trust", "the CA was given out to "+api.PeerFrom(ctx).Name)
	return &upsv1.ExportTrustResponse{Export: file}, nil
}

// ImportTrust makes this master take another's place.
func (s controlService) ImportTrust(ctx context.Context, req *upsv1.ImportTrustRequest) (*upsv1.ImportTrustResponse, error) {
	keys, err := s.m.keys()
	if err != nil {
		return nil, err
	}
	next, err := keys.Import(req.GetPassphrase(), req.GetExport())
	if err != nil {
		return nil, api.Error(codes.FailedPrecondition, err)
	}
	s.m.authority.Store(next)
	s.m.expectMembers()
	s.m.event("master/"+s.m.cfg.Name, "trust", "another master's place was taken by "+api.PeerFrom(ctx).Name)
	return &upsv1.ImportTrustResponse{Members: uint32(len(next.Members()))}, nil
}

// Limits of the network's door. A rack of hundreds has one connection for each
// node, a few for people, and a new one now and then before the old one is found
// dead.
const (
	maxConns    = 4096 // at a time
	maxPerAddr  = 256  // a rack behind one address
	maxPerKey   = 8
	maxUnproved = 512 // handshakes under way
)

// limited puts the door's limits before l, and returns what counts a connection
// for the key that its handshake has shown.
func limited(l net.Listener) *trust.Listener {
	return trust.LimitListener(l, trust.Limits{Total: maxConns, PerAddress: maxPerAddr, PerKey: maxPerKey, Unproved: maxUnproved})
}
