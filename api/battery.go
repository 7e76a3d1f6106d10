package api

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// FillBattery says in p what is known of the battery.
func FillBattery(p *upsv1.UpsState, b power.Battery) {
	if full, known := b.Charge(); known {
		percent := uint32(math.Floor(full * 100)) // 100 is nothing but full
		p.Charge = &percent
	}
	p.Battery = &upsv1.Battery{
		Declared: known(b.Declared), ToLow: known(b.ToLow), Lows: uint32(max(0, b.Lows)), Reserve: durationpb.New(b.Reserve),
		ReserveLearned: b.ReserveLearned, Debt: durationpb.New(b.Debt), Assumed: durationpb.New(b.Assumed),
	}
}

// known returns d for the wire; 0 is not known, and absent.
func known(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}
