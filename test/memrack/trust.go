package memrack

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// Leave makes a node leave the rack, and returns why the master could not be told.
func (r *Rack) Leave(n *Node) (untold string, err error) {
	resp, err := upsv1.NewNodeServiceClient(r.local(r.agentDir(n)+"/agent.sock")).LeaveRack(r.t.Context(), &upsv1.LeaveRackRequest{})
	return resp.GetUntold(), err
}

// Wipe removes everything that a stopped agent kept.
func (r *Rack) Wipe(n *Node) { r.wipe(r.agentDir(n)) }

// WipeMaster removes everything that the stopped master kept.
func (r *Rack) WipeMaster() { r.wipe(filepath.Join(r.dir, "master")) }

func (r *Rack) wipe(dir string) {
	r.t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		r.t.Fatal(err)
	}
}

// identity is who a node is, by the files in its folder.
func (r *Rack) identity(n *Node) trust.Identity {
	r.t.Helper()
	id, err := trust.LoadIdentity(filepath.Join(r.agentDir(n), "data", "racks", "rack1"))
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// AskAs asks a node's own service with another node's key; nil: no answer.
func (r *Rack) AskAs(n *Node, target string) *upsv1.NodeStatus {
	r.t.Helper()
	got := api.AskNodes(r.t.Context(), []api.Asked{{Name: target, Addresses: []string{target + ":8494"}}},
		trust.DialTLS(r.identity(n), trust.RoleNode.ServerName()), r.Net.Dialer("asking"))
	if len(got) == 0 {
		return nil
	}
	return got[0]
}

// Flood opens connections to the master with a node's key and keeps them; it
// returns how many live at a time.
func (r *Rack) Flood(n *Node, conns int) (live int) {
	r.t.Helper()
	cfg := trust.DialTLS(r.identity(n), trust.RoleMaster.ServerName())
	cfg.NextProtos = []string{"h2"}
	for range conns {
		raw, err := r.Net.Dialer("flood")(context.Background(), "tcp", "master:8493")
		if err != nil {
			continue
		}
		c := tls.Client(raw, cfg)
		r.t.Cleanup(func() { _ = c.Close() })
		if c.Handshake() != nil {
			continue
		}
		// The server's first word (HTTP/2 SETTINGS) tells that it was let in.
		if _, err := c.Read(make([]byte, 1)); err == nil {
			live++
		}
	}
	return live
}

// Watch watches the master's status with a node's key.
func (r *Rack) Watch(n *Node) grpc.ServerStreamingClient[upsv1.WatchResponse] {
	r.t.Helper()
	w, err := upsv1.NewPowerServiceClient(r.DialAs(n)).Watch(r.t.Context(), &upsv1.WatchRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// DialAs returns a connection to the master over TLS with a node's key.
func (r *Rack) DialAs(n *Node) *grpc.ClientConn {
	r.t.Helper()
	conn, err := api.Dial("master:8493", trust.DialTLS(r.identity(n), trust.RoleMaster.ServerName()), r.Net.Dialer("watching"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// AgentClient returns a connection to a node's own socket, as root.
func (r *Rack) AgentClient(n *Node) *grpc.ClientConn { return r.local(r.agentDir(n) + "/agent.sock") }
