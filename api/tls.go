package api

import (
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
)

// ServerTLS are credentials for a server that looks at each connection once its
// handshake has shown who is at the other end; an error from admit closes it. cfg
// is asked for at each connection, so that it may change.
func ServerTLS(cfg func() *tls.Config, admit func(net.Conn, tls.ConnectionState) error) credentials.TransportCredentials {
	outer := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return cfg(), nil },
	}
	return admittingCreds{credentials.NewTLS(outer), admit}
}

type admittingCreds struct {
	credentials.TransportCredentials
	admit func(net.Conn, tls.ConnectionState) error
}

// ServerHandshake is TLS's, and then admit's word.
func (c admittingCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	if t, ok := info.(credentials.TLSInfo); ok {
		err = c.admit(raw, t.State)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, info, nil
}

// Clone returns the same: there is no state.
func (c admittingCreds) Clone() credentials.TransportCredentials { return c }
