package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

func (c *cli) joinCmd() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "join --master HOST:PORT TOKEN", Short: "admit this user as an operator or viewer, by a token",
		Long: `Makes a key for this user, has the master admit it by a token of upsctl token create
--role operator or viewer, and keeps it in ~/.config/lastwatt. From then on upsctl
asks that master from anywhere. For a machine it is upsagent join.`,
		Example: "  upsctl --master rack1.example.org:8493 join TOKEN",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.master == "" {
				return usageError{"join which master?", "write upsctl --master HOST:PORT join TOKEN"}
			}
			if err := config.CheckHostPort(c.master); err != nil {
				return usageError{"--master " + c.master + ": " + err.Error(), "write HOST:PORT"}
			}
			if name == "" {
				name = c.defaultName()
			}
			if err := trust.CheckName(name); err != nil {
				return usageError{err.Error(), "name yourself with --name"}
			}
			tok, err := trust.ParseToken(args[0])
			if err != nil {
				return usageError{err.Error(), "see 'upsctl join --help'"}
			}
			return c.join(cmd.Context(), tok, name)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the `NAME` to be admitted under; default: this user's, at this host")
	return cmd
}

// join keeps what the master admits, one folder for each master.
func (c *cli) join(ctx context.Context, tok trust.Token, name string) error {
	dir, err := c.identities()
	if err != nil {
		return err
	}
	keyDir := filepath.Join(dir, ".joining")
	// One key for all tries: the master binds a token to the first that it sees.
	key, err := trust.LoadKey(keyDir)
	if err != nil {
		return err
	}
	id, master, err := api.Join(ctx, c.master, tok, key, name, new(net.Dialer).DialContext)
	if err != nil {
		return fmt.Errorf("cannot join: %s", api.Message(err))
	}
	if r := id.Role(); r != trust.RoleOperator && r != trust.RoleViewer {
		return fmt.Errorf("that token was for a machine, and is used up; ask for one with: upsctl token create --role operator")
	}
	own := filepath.Join(dir, master)
	if err := id.Save(own); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(own, "address"), []byte(c.master+"\n"), 0o600); err != nil {
		return fmt.Errorf("joined %s, but its address could not be kept; name it each time with --master: %w", master, err)
	}
	if err := os.RemoveAll(keyDir); err != nil {
		return fmt.Errorf("joined %s, but the key that was used could not be deleted: %w", master, err)
	}
	fmt.Fprintf(c.out, "%s may now ask %s as %s\n", clean(name), clean(master), id.Role())
	return nil
}

// defaultName is who this user is to the rack: name-host.
func (c *cli) defaultName() string {
	name := "operator"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "-" + strings.SplitN(host, ".", 2)[0]
	}
	return name
}

// identities is the folder of what this user has joined.
func (c *cli) identities() (string, error) {
	home := c.env("HOME")
	if home == "" {
		return "", errors.New("cannot tell where your keys are: HOME is not set")
	}
	return filepath.Join(home, ".config", "lastwatt"), nil
}

// joined is one master that this user has joined.
type joined struct {
	master, address string
	id              trust.Identity
}

// joinedMasters reads what this user has joined; nothing is no error.
func (c *cli) joinedMasters() ([]joined, error) {
	dir, err := c.identities()
	if err != nil {
		return nil, nil // no home, no keys
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read your keys: %w", err)
	}
	var all []joined
	for _, e := range entries {
		id, err := trust.LoadIdentity(filepath.Join(dir, e.Name()))
		if errors.Is(err, trust.ErrNotJoined) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use your key for %s: %w", e.Name(), err)
		}
		address, err := os.ReadFile(filepath.Join(dir, e.Name(), "address"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the address of %s: %w", e.Name(), err)
		}
		all = append(all, joined{master: e.Name(), address: strings.TrimSpace(string(address)), id: id})
	}
	return all, nil
}

// dialJoined returns a connection to a master that this user has joined: the one
// that --master names, else the only one. Nil: this user has joined none.
func (c *cli) dialJoined() (*grpc.ClientConn, error) {
	all, err := c.joinedMasters()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	pick := -1
	for i, j := range all {
		if j.address == c.master || c.master == "" && len(all) == 1 && j.address != "" {
			pick = i
		}
	}
	if pick < 0 && c.master != "" && len(all) == 1 {
		pick = 0 // it has moved
	}
	if pick < 0 {
		var known []string
		for _, j := range all {
			known = append(known, fmt.Sprintf("%s at %s", j.master, j.address))
		}
		return nil, usageError{"several masters could be asked: " + strings.Join(known, ", "), "name one with --master HOST:PORT"}
	}
	address := all[pick].address
	if c.master != "" {
		address = c.master
	}
	return api.Dial(address, trust.DialTLS(all[pick].id, trust.RoleMaster.ServerName()), new(net.Dialer).DialContext)
}
