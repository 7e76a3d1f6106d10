package api

import (
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// RolesOf returns what a key admitted as r may act as. Not admitted: nothing.
func RolesOf(r trust.Role) []upsv1.Role {
	switch r {
	case trust.RoleMaster:
		return []upsv1.Role{upsv1.Role_ROLE_MASTER}
	case trust.RoleNode:
		return []upsv1.Role{upsv1.Role_ROLE_NODE}
	case trust.RoleOperator:
		return []upsv1.Role{upsv1.Role_ROLE_OPERATOR}
	case trust.RoleViewer:
		return []upsv1.Role{upsv1.Role_ROLE_VIEWER}
	default:
		return nil
	}
}

// ToTrustRole returns the role that a token is asked for; an agent's where none is
// named. ok is false for a role that nobody is admitted as.
func ToTrustRole(r upsv1.Role) (role trust.Role, ok bool) {
	switch r {
	case upsv1.Role_ROLE_UNSPECIFIED, upsv1.Role_ROLE_NODE:
		return trust.RoleNode, true
	case upsv1.Role_ROLE_OPERATOR:
		return trust.RoleOperator, true
	case upsv1.Role_ROLE_VIEWER:
		return trust.RoleViewer, true
	default:
		return trust.RoleNone, false
	}
}

// FromTrustRole returns the role of a member for the wire.
func FromTrustRole(r trust.Role) upsv1.Role {
	if roles := RolesOf(r); len(roles) == 1 {
		return roles[0]
	}
	return upsv1.Role_ROLE_UNSPECIFIED
}
