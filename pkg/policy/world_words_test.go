package policy_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// config reads "grace=5m", "grace=batlow", "wait_for", "never_goes" and so on.
func (w *world) config(words []string) error {
	c := &w.cfg
	durations := map[string]*time.Duration{
		"grace": &c.Grace, "grace_min": &c.GraceMin, "batlow_grace": &c.BatLowGrace,
		"wait_limit": &c.WaitLimit, "wait_limit_batlow": &c.WaitLimitBatLow,
		"lost_limit": &c.LostLimit, "blind_limit": &c.BlindLimit,
		"stop_time": &c.StopTime, "margin": &c.Margin,
	}
	flags := map[string]*bool{"wait_for": &c.WaitFor, "never_goes": &c.NeverGoes, "obey_sim": &c.ObeySim}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch {
		case word == "grace=batlow":
			c.GraceBatLow = true
		case key == "methods":
			c.Methods, err = strconv.Atoi(value)
		case flags[key] != nil:
			*flags[key] = true
		case durations[key] != nil:
			*durations[key], err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("no such setting: %s", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaited reads "web1 web2 more=3 open limit=2m depth=2": who is still up.
func (w *world) awaited(words []string) (in policy.Awaited, err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "open":
			in.Open = true
		case "more":
			in.More, err = strconv.Atoi(value)
		case "depth":
			in.Depth, err = strconv.Atoi(value)
		case "limit":
			var d time.Duration
			d, err = time.ParseDuration(value)
			in.Limit = w.now.Add(d)
		default:
			in.Up = append(in.Up, word)
		}
		if err != nil {
			return in, err
		}
	}
	return in, nil
}

// battery reads what a UPS's state carries besides its status.
func battery(s *power.State, words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "runtime":
			s.Runtime, err = time.ParseDuration(value)
		case "debt":
			s.Debt, err = time.ParseDuration(value)
		case "no-low":
			s.HasLow = false
		case "sim":
			s.Sim = true
		case "drill":
			s.Drill = true
		case "real":
			*s = power.State{HasLow: s.HasLow}
		default:
			err = fmt.Errorf("no such thing: %s", word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setFeeds reads "a b need=1": the node lives on these.
func (w *world) setFeeds(words []string) error {
	need := 1
	var names []string
	w.named = map[string]*feed{}
	for _, word := range words {
		if n, ok := strings.CutPrefix(word, "need="); ok {
			var err error
			if need, err = strconv.Atoi(n); err != nil {
				return err
			}
			continue
		}
		fd := newFeed()
		w.named[word] = &fd
		names = append(names, word)
	}
	w.feeds = power.NewFeeds(need, names, w.cfg.ObeySim)
	return nil
}

// setCable puts a qualifier between the script and the machine, with the settle
// times of the default configuration: "cable", "cable pulled-reads-low".
func (w *world) setCable(words []string) error {
	c := power.QualifierConfig{
		BatLowJump: 10 * time.Second, HasLow: true, Boot: "boot",
		PulledReadsLow: slices.Contains(words, "pulled-reads-low"),
	}
	c.Settle.Fail, c.Settle.BatLow, c.Settle.OK = 100*time.Millisecond, 500*time.Millisecond, 2*time.Second
	w.wires = power.NewQualifier(c)
	return nil
}

// signals reads "mains", "battery", "battery low", "mains low", "blind".
func signals(words []string) power.Signals {
	return power.Signals{
		Blind:     slices.Contains(words, "blind"),
		OnBattery: slices.Contains(words, "battery"),
		Low:       slices.Contains(words, "low"),
	}
}
