package main

import (
	"fmt"
	"strings"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// batteryPicture is what is known of a battery.
type batteryPicture struct {
	Declared       *float64 `json:"declared_runtime_seconds"` // null: its owner has not said
	ToLow          *float64 `json:"to_low_seconds"`           // null: no outage has shown it
	Lows           uint32   `json:"lows"`
	Reserve        float64  `json:"reserve_seconds"`
	ReserveLearned bool     `json:"reserve_learned"`
	Debt           float64  `json:"debt_seconds"`
	Assumed        float64  `json:"assumed_seconds"`
}

// disabledPicture is that a UPS is not looked at, by order.
type disabledPicture struct {
	By        string  `json:"by"`
	Remaining float64 `json:"remaining_seconds"`
}

func batteryOf(b *upsv1.Battery) *batteryPicture {
	if b == nil {
		return nil
	}
	return &batteryPicture{
		Declared: seconds(b.GetDeclared()), ToLow: seconds(b.GetToLow()), Lows: b.GetLows(),
		Reserve: b.GetReserve().AsDuration().Seconds(), ReserveLearned: b.GetReserveLearned(),
		Debt: b.GetDebt().AsDuration().Seconds(), Assumed: b.GetAssumed().AsDuration().Seconds(),
	}
}

func disabledOf(d *upsv1.Disabled) *disabledPicture {
	if d == nil {
		return nil
	}
	return &disabledPicture{By: d.GetBy(), Remaining: d.GetRemaining().AsDuration().Seconds()}
}

// batteryWords say what outages have shown of the battery, and what of it is a guess;
// empty: nothing.
func (u upsPicture) batteryWords(long func(time.Duration) string) string {
	b := u.Battery
	if b == nil {
		return ""
	}
	var words []string
	if b.Lows > 0 && b.ToLow != nil {
		shown := "an outage has shown"
		if b.Lows > 1 {
			shown = fmt.Sprintf("%d outages have shown", b.Lows)
		}
		said := "low after " + long(toDuration(*b.ToLow)) + " on battery, as " + shown
		if u.Runtime != nil {
			said += "; it counts as " + long(toDuration(*u.Runtime)) + " in all"
		}
		if b.Declared != nil && u.Runtime != nil && *b.Declared != *u.Runtime {
			said += ", where master.toml says " + long(toDuration(*b.Declared))
		}
		words = append(words, said)
	}
	if b.Assumed > 0 {
		words = append(words, "nobody saw how full the battery is: "+long(toDuration(b.Assumed))+" of it are not counted on")
	}
	return strings.Join(words, "; ")
}
