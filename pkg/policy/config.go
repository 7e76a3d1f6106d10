package policy

import "time"

// Config is one node's own policy. All durations are positive or zero.
type Config struct {
	// Grace is how long on battery this node waits before it goes; 0 means at
	// once. Ignored when GraceBatLow.
	Grace time.Duration
	// GraceBatLow: wait for BATLOW. On a feed without a low line that is a
	// problem, and Grace is used instead; the loader sets it to 5m.
	GraceBatLow bool
	// GraceMin: debt and runtime never shorten the allowance below
	// min(Grace, GraceMin).
	GraceMin time.Duration
	// BatLowGrace is what is left after BATLOW.
	BatLowGrace time.Duration
	// WaitFor says whether this node waits for anybody at all.
	WaitFor bool
	// WaitLimit is how long somebody is waited for after his commit or his last word;
	// WaitLimitBatLow bounds WAITING after BATLOW, for each of the chain.
	WaitLimit, WaitLimitBatLow time.Duration
	// LostLimit: on battery, with no deadline (held, or GraceBatLow), blind or
	// without contact: go after this. Being heard and seen again withdraws it.
	LostLimit time.Duration
	// BlindLimit: blind or without contact while the last state was OK: go after
	// this. 0 means never, which is the default (law 2).
	BlindLimit time.Duration
	// StopTime is how long this machine takes to be off once asked.
	StopTime time.Duration
	// Margin is kept between being off and the battery's expected end.
	Margin time.Duration
	// Methods is how many power-off methods the chain has; at least 1.
	Methods int
	// NeverGoes: the method is none: a dry run in which the machine stays.
	NeverGoes bool
	// ObeySim: obey states made by an operator on a sim port.
	ObeySim bool
}

// graceWithoutLow is used for grace = "batlow" where nothing can say that the
// battery is low and no time was set.
const graceWithoutLow = 5 * time.Minute

// normal returns c with what makes no sense made safe.
func (c Config) normal() Config {
	c.Methods = max(1, c.Methods)
	if c.GraceBatLow && c.Grace <= 0 {
		c.Grace = graceWithoutLow
	}
	return c
}
