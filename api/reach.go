package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

const (
	// reachLimit is how long one address may take to prove itself.
	reachLimit = 5 * time.Second
	// maxReach is how many addresses are tried: whoever floods the LAN with names
	// must not make us dial all of it.
	maxReach = 32
)

// Reach tries addresses side by side and returns the first that proves itself as
// cfg wants. Addresses are hints: one that lies or hangs delays nobody else. With
// one address nothing is dialled: whoever uses it will see.
func Reach(ctx context.Context, addresses []string, cfg *tls.Config, dial Dialer) (string, error) {
	switch len(addresses) {
	case 0:
		return "", errors.New("no address of a master is known yet")
	case 1:
		return addresses[0], nil
	}
	addresses = addresses[:min(len(addresses), maxReach)]
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel() // the first that succeeds ends the others
	type result struct {
		address string
		err     error
	}
	results := make(chan result, len(addresses))
	for _, a := range addresses {
		go func() { results <- result{a, prove(ctx, a, cfg, dial)} }()
	}
	var errs []error
	for range addresses {
		r := <-results
		if r.err == nil {
			return r.address, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", r.address, r.err))
	}
	return "", errors.Join(errs...)
}

// prove makes one handshake and hangs up.
func prove(ctx context.Context, address string, cfg *tls.Config, dial Dialer) error {
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"h2"} // as gRPC does; the server insists
	return tls.Client(raw, cfg).HandshakeContext(ctx)
}
