package api

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

var rewrite = flag.Bool("rewrite", false, "write docs/security.md's table of roles again")

const (
	securityDoc = "../docs/security.md"
	tableBegin  = "<!-- roles:begin -->\n"
	tableEnd    = "<!-- roles:end -->"
)

// TestSecurityDocHasTheRolesOfTheProto: who may call what is printed from the proto,
// which is what the guard asks.
func TestSecurityDocHasTheRolesOfTheProto(t *testing.T) {
	columns := []upsv1.Role{
		upsv1.Role_ROLE_ANYONE, upsv1.Role_ROLE_NODE, upsv1.Role_ROLE_VIEWER,
		upsv1.Role_ROLE_OPERATOR, upsv1.Role_ROLE_LOCAL, upsv1.Role_ROLE_MASTER,
	}
	var b strings.Builder
	b.WriteString("| call | anyone | node | viewer | operator | local socket | master |\n|---|---|---|---|---|---|---|\n")
	allowed := Allowed()
	for _, method := range slices.Sorted(maps.Keys(allowed)) {
		fmt.Fprintf(&b, "| %s |", strings.TrimPrefix(strings.TrimPrefix(method, "/"), "ups.v1."))
		for _, c := range columns {
			mark := " |"
			if slices.Contains(allowed[method], c) {
				mark = " yes |"
			}
			b.WriteString(mark)
		}
		b.WriteString("\n")
	}
	doc, err := os.ReadFile(securityDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), tableBegin)
	have, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table, between %q and %q", securityDoc, tableBegin, tableEnd)
	}
	if have == b.String() {
		return
	}
	if !*rewrite {
		t.Fatalf("the table is not what the proto says; go test ./api -run Roles -rewrite\n%s", b.String())
	}
	if err := os.WriteFile(securityDoc, []byte(before+tableBegin+b.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRolesOfMembers(t *testing.T) {
	for _, r := range []trust.Role{trust.RoleMaster, trust.RoleNode, trust.RoleOperator, trust.RoleViewer} {
		got := RolesOf(r)
		if len(got) != 1 || strings.ToLower(strings.TrimPrefix(got[0].String(), "ROLE_")) != r.String() {
			t.Errorf("a %s may act as %v", r, got)
		}
		if FromTrustRole(r) != got[0] {
			t.Errorf("%s is %s on the wire", r, FromTrustRole(r))
		}
	}
	if got := RolesOf(trust.RoleNone); len(got) != 0 {
		t.Errorf("nobody may act as %v", got)
	}
	for _, r := range []upsv1.Role{upsv1.Role_ROLE_MASTER, upsv1.Role_ROLE_LOCAL, upsv1.Role_ROLE_ANYONE, 99} {
		if _, ok := ToTrustRole(r); ok {
			t.Errorf("a token can be had for %s", r)
		}
	}
}
