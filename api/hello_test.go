package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

func TestHelloIsBounded(t *testing.T) {
	h := &upsv1.Hello{Role: strings.Repeat("r", 1000), WaitLimit: durationpb.New(-time.Hour)}
	for range 1000 {
		h.WaitFor = append(h.WaitFor, strings.Repeat("ü", 1000))
	}
	for range 1000 {
		h.Macs = append(h.Macs, make([]byte, 6), make([]byte, 7))
	}
	BoundHello(h)
	if len(h.GetMacs()) != maxMACs {
		t.Errorf("%d hardware addresses are kept", len(h.GetMacs()))
	}
	if size := proto.Size(h); size > 16<<10 || len(h.GetWaitFor()) != maxWaitFor {
		t.Errorf("a hello of %d bytes with %d names is kept", size, len(h.GetWaitFor()))
	}
	if d := h.GetWaitLimit().AsDuration(); d != 0 {
		t.Errorf("wait_limit %s", d)
	}
	if word := "role:" + strings.Repeat("r", maxName); Cut(word, 2*maxName) != word {
		t.Error("a whole role does not fit")
	}
}

func TestPolicyCrossesTheWire(t *testing.T) {
	want := policy.Config{
		Grace: 1 * time.Second, GraceBatLow: true, GraceMin: 2 * time.Second, BatLowGrace: 3 * time.Second, WaitFor: true,
		WaitLimit: 4 * time.Second, WaitLimitBatLow: 5 * time.Second, LostLimit: 6 * time.Second, ObeySim: true,
		StopTime: 7 * time.Second,
	}
	got, need := ToPolicy(&upsv1.Hello{WaitFor: []string{"*"}, WaitLimit: durationpb.New(want.WaitLimit), Policy: FromPolicy(want, 2)})
	if d := cmp.Diff(want, got); d != "" || need != 2 {
		t.Errorf("need %d; across the wire (-want +got):\n%s", need, d)
	}
	if got, need := ToPolicy(&upsv1.Hello{}); got != (policy.Config{}) || need != 1 {
		t.Errorf("an agent of before says %+v, need %d", got, need)
	}
}
