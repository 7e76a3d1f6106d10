package node

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// margin is kept between the moment this machine is off and the expected end of
// the battery: an old battery's last minute is the least certain.
const margin = 30 * time.Second

// fallbackGrace is waited on a feed without a low line where grace is "batlow".
const fallbackGrace = 5 * time.Minute

// Settings is what the owner wrote about one machine: the tables [power],
// [policy], [shutdown], [wake] and [[hook]]. After [ParseSettings] and no error
// there is nothing left to check in it.
type Settings struct {
	// Feeds are the UPSes that this machine lives on, "MASTER/UPS"; empty: the
	// only one there is. Need is how many of them it needs.
	Feeds []string
	Need  int
	// ObeySim: go down by the states of a pretended UPS too.
	ObeySim bool

	// Grace is how long on battery this machine waits; with GraceBatLow until
	// BATLOW, and Grace is for feeds that can't say that.
	Grace                      time.Duration
	GraceBatLow                bool
	GraceMin                   time.Duration
	BatLowGrace                time.Duration
	WaitFor                    []string // node names, "role:NAME" or "*"
	WaitLimit, WaitLimitBatLow time.Duration
	LostLimit                  time.Duration
	BlindLimit                 time.Duration // 0: never

	// Methods are tried in turn; Command is the argv of method "command".
	Methods  []string
	Command  []string
	StopTime time.Duration

	// Wake is how this machine comes back: cycle, wol, rtc, hook.
	Wake []string

	Hooks []Hook
}

// Hook is a local program to run on events.
type Hook struct {
	On []policy.Event
	// Run is the argv; its first element is an absolute path.
	Run []string
	// Unit is run in place of Run: lastwatt-hook@UNIT.service.
	Unit string
	// Timeout is when it is killed.
	Timeout time.Duration
	// Drill: run it in a drill too. Kept for when there are drills.
	Drill bool
}

// Policy returns what the machine needs of the settings.
func (s Settings) Policy() policy.Config {
	return policy.Config{
		Grace:           s.Grace,
		GraceBatLow:     s.GraceBatLow,
		GraceMin:        s.GraceMin,
		BatLowGrace:     s.BatLowGrace,
		WaitFor:         len(s.WaitFor) > 0,
		WaitLimit:       s.WaitLimit,
		WaitLimitBatLow: s.WaitLimitBatLow,
		LostLimit:       s.LostLimit,
		BlindLimit:      s.BlindLimit,
		StopTime:        s.StopTime,
		Margin:          margin,
		Methods:         len(s.Methods),
		NeverGoes:       s.dryRun(),
		ObeySim:         s.ObeySim,
	}
}

// Chain returns the power-off methods in the order in which they are tried.
func (s Settings) Chain() ([]shutdown.Executor, error) {
	var chain []shutdown.Executor
	for _, m := range s.Methods {
		x, err := shutdown.New(m, s.Command)
		if err != nil {
			return nil, err
		}
		chain = append(chain, x)
	}
	return chain, nil
}

// dryRun reports whether this machine never goes.
func (s Settings) dryRun() bool { return len(s.Methods) == 1 && s.Methods[0] == shutdown.MethodNone }
