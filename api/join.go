package api

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// joinLimit is how long a master may take to admit a key.
const joinLimit = 10 * time.Second

// Join asks the master at address to admit key under name by a token: the one call
// that a key may make before it is admitted. It returns the identity, checked to be
// of the token's rack, and the master's name, fit for a folder's. Errors are
// statuses. Nothing is kept.
func Join(ctx context.Context, address string, tok trust.Token, key ed25519.PrivateKey, name string, dial Dialer) (trust.Identity, string, error) {
	fail := func(code codes.Code, err error) (trust.Identity, string, error) {
		return trust.Identity{}, "", Error(code, err)
	}
	pub, err := trust.PublicKey(key)
	if err != nil {
		return fail(codes.Internal, err)
	}
	conn, err := Dial(address, trust.JoinTLS(tok, key), dial)
	if err != nil {
		return fail(codes.InvalidArgument, err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	resp, err := upsv1.NewTrustServiceClient(conn).Join(ctx, &upsv1.JoinRequest{Secret: tok.Secret[:], Name: name, PublicKey: pub})
	if err != nil && Unreachable(err) {
		// Not "unavailable": that would say that the caller's own daemon is.
		return fail(codes.FailedPrecondition, fmt.Errorf("cannot reach a master of that token's rack at %s: %s", address, Message(err)))
	}
	if err != nil {
		return trust.Identity{}, "", err
	}
	id, err := trust.NewIdentity(tok, key, resp.GetCertificate(), resp.GetCa())
	if err != nil {
		return fail(codes.FailedPrecondition, err)
	}
	if err := trust.CheckName(resp.GetMaster()); err != nil {
		return fail(codes.FailedPrecondition, fmt.Errorf("cannot use the master's name: %w", err))
	}
	return id, resp.GetMaster(), nil
}
