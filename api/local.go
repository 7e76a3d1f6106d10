package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// actingGroup is the group whose members may act on the local socket; everybody
// else may look.
const actingGroup = "lastwatt"

// LocalCredentials are for a server on a unix socket: the kernel says who calls.
func LocalCredentials() credentials.TransportCredentials { return localCreds{} }

// IdentifyLocal is the Identify of a server with [LocalCredentials]: anyone may
// look; root, the daemon's own user and the members of group lastwatt may act.
func IdentifyLocal(ctx context.Context) (Peer, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, errors.New("cannot tell who calls")
	}
	info, ok := p.AuthInfo.(localInfo)
	if !ok {
		return Peer{}, errors.New("cannot tell who calls: this is not the local socket")
	}
	out := Peer{Name: fmt.Sprintf("uid %d", info.uid), Roles: []upsv1.Role{upsv1.Role_ROLE_VIEWER}}
	u, err := user.LookupId(strconv.Itoa(info.uid))
	if err == nil {
		out.Name = u.Username
	}
	if info.uid == 0 || info.uid == os.Getuid() || inGroup(u, actingGroup) {
		out.Roles = append(out.Roles, upsv1.Role_ROLE_LOCAL)
	}
	return out, nil
}

// inGroup reports whether u, which may be nil, is a member of the group.
func inGroup(u *user.User, name string) bool {
	if u == nil {
		return false
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

// localInfo is what is known of a connection on the local socket.
type localInfo struct {
	credentials.CommonAuthInfo
	uid int
}

// AuthType names it for gRPC.
func (localInfo) AuthType() string { return "SO_PEERCRED" }

type localCreds struct{}

// ServerHandshake asks the kernel who is at the other end; no byte is exchanged.
func (localCreds) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	var uid int
	var err error
	switch c := c.(type) {
	case *net.UnixConn:
		uid, err = peerUID(c)
	case interface{ PeerUID() (int, error) }: // a network in memory
		uid, err = c.PeerUID()
	default:
		err = errors.New("cannot tell who calls: this is not a unix socket")
	}
	if err != nil {
		return nil, nil, err
	}
	return c, localInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, uid}, nil
}

// ClientHandshake is not used: [DialLocal] asks for nothing.
func (localCreds) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("local credentials are for servers")
}

// Info names the protocol for gRPC.
func (localCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "SO_PEERCRED"}
}

// Clone returns the same: there is no state.
func (localCreds) Clone() credentials.TransportCredentials { return localCreds{} }

// OverrideServerName does nothing: there are no names on a socket.
func (localCreds) OverrideServerName(string) error { return nil }

// Listen listens on a network, or on the daemon's local socket where that is "unix".
func Listen(network, address string) (net.Listener, error) {
	if network == "unix" {
		return ListenLocal(address)
	}
	return net.Listen(network, address)
}

// ListenLocal makes the socket at path, for everybody to connect to (who may do
// what is decided per call). A socket that a dead daemon left behind is replaced;
// a living one is an error.
func ListenLocal(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the socket's folder: %w", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("cannot listen on %s: another daemon answers there; stop it or set another socket", path)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("cannot listen on %s: it is there and is no socket; remove it or set another socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("cannot replace the socket of a daemon that is gone: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("cannot open %s to everybody: %w", path, err)
	}
	return l, nil
}
