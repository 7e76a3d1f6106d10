package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// BenchmarkPlan is a fleet of 200 of whom a third waits for others.
func BenchmarkPlan(b *testing.B) {
	p := plannedRack()
	for i := range 200 {
		n := plannedNode(fmt.Sprintf("n%03d", i), time.Duration(60+i)*time.Second)
		if i%3 == 0 {
			n.WaitFor, n.Config.WaitFor = []string{"*"}, true
		}
		p.Nodes = append(p.Nodes, n)
	}
	for b.Loop() {
		policy.NewPlan(p.PlanRack)
	}
}
