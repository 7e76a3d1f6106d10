package trust

import (
	"errors"
	"fmt"
	"regexp"
)

// Role is what a key was admitted for. The numbers lie on disk only as text.
type Role uint8

// The roles.
const (
	RoleNone     Role = 0 // not admitted
	RoleMaster   Role = 1 // the master of the rack
	RoleNode     Role = 2 // a machine of the rack
	RoleOperator Role = 3 // may look and act
	RoleViewer   Role = 4 // may look
)

// roleNames are the roles as people write them and as they lie on disk.
var roleNames = [...]string{RoleNone: "none", RoleMaster: "master", RoleNode: "node", RoleOperator: "operator", RoleViewer: "viewer"}

// String returns the role's name.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return roleNames[RoleNone]
}

// ServerName returns the DNS name that a certificate of this role carries, and
// that a client asks for in [DialTLS]: "master.lastwatt", "node.lastwatt"…
// It names a role, never a host: addresses prove nothing.
func (r Role) ServerName() string { return r.String() + domain }

// domain ends every role's DNS name; it exists in no DNS.
const domain = ".lastwatt"

// ParseRole returns the role that a person names: node (or agent, which is the
// same), operator or viewer. Nobody is admitted as a master.
func ParseRole(s string) (Role, error) {
	switch s {
	case "node", "agent":
		return RoleNode, nil
	case "operator":
		return RoleOperator, nil
	case "viewer":
		return RoleViewer, nil
	}
	return RoleNone, fmt.Errorf("%q is no role; write agent, operator or viewer", s)
}

// MarshalText returns the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the names that MarshalText gives to members.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// namePattern is what a member may be called: it goes into file names, log lines
// and terminals. 63 is a DNS label's length (RFC 1035 §2.3.4).
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ErrBadName is the error for a name that can't be a member's.
var ErrBadName = errors.New("a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit")

// CheckName returns an error that says what to write, if name can't be a member's.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		// Cut, for it may be a megabyte of a stranger's, or a token in the wrong place.
		return fmt.Errorf("%+.40q is no name: %w", name, ErrBadName)
	}
	return nil
}

// Peer is who is at the other end of a connection, proved.
type Peer struct {
	Name        string
	Role        Role
	Fingerprint string // of the key: SHA-256 of its PKIX DER, hexadecimal
}
