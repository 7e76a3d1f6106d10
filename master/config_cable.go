package master

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
)

// ownCable is the name of a cable that was written down without one.
const ownCable = "own"

// maxKill bounds the times of a kill; Validate says the exact bounds.
const maxKill = time.Hour

// readInline reads a cable that the owner wrote down himself.
func readInline(t *config.Table) line.Cable {
	c := line.Cable{
		Name:       t.String("name", ownCable),
		Aliases:    t.Strings("aliases"),
		Title:      t.String("title", ""),
		Source:     t.String("source", ""),
		Notes:      t.String("notes", ""),
		OnBattery:  readTerm(t, "on_battery"),
		LowBattery: readTerm(t, "low_battery"),
		Present:    readTerm(t, "present"),
		Replace:    readTerm(t, "replace"),
		Bypass:     readTerm(t, "bypass"),
		Drive:      readTerms(t, "drive"),
		Loops:      readTerms(t, "loops"),
	}
	if t.Has("kill") {
		c.Kill = readKill(t.Table("kill"))
	}
	for _, err := range each(c.Validate()) {
		var bad *line.FieldError
		if !errors.As(err, &bad) {
			t.Errorf("on_battery", "%v", err)
			continue
		}
		at, key := t, bad.Field
		if table, field, ok := strings.Cut(bad.Field, "."); ok {
			at, key = t.Table(table), field
		}
		// What can't be read has been said; Validate takes it for not written.
		said := at.Wrong(key)
		if key == "kill" {
			said = slices.ContainsFunc([]string{"set", "break", "send"}, t.Table(key).Wrong)
		}
		if !said {
			at.Errorf(key, "%s", bad.Problem)
		}
	}
	return c
}

func readKill(t *config.Table) line.Kill {
	k := line.Kill{
		Set:   readTerms(t, "set"),
		Break: t.Duration("break", 0, 0, maxKill),
		Hold:  t.Duration("hold", 0, 0, maxKill),
		Delay: t.Duration("delay", line.DefaultKillDelay, 0, maxKill),
	}
	if t.Has("send") {
		text := t.String("send", "")
		send, err := hex.DecodeString(text)
		if err != nil {
			t.Errorf("send", `%q is not hexadecimal; write two digits for each byte, such as "55"`, text)
		}
		k.Send = send
	}
	return k
}

func readTerm(t *config.Table, key string) line.Term {
	s := t.String(key, "")
	term, err := line.ParseTerm(s)
	if err != nil {
		t.Errorf(key, "%v", err)
	}
	return term
}

// readTerms keeps an absent list nil and an empty one empty: loops tells them apart.
func readTerms(t *config.Table, key string) []line.Term {
	var out []line.Term
	for i, s := range t.Strings(key) {
		term, err := line.ParseTerm(s)
		if err == nil && !term.Wired() {
			err = errors.New(`is empty; write a line such as "DTR", or leave it out`)
		}
		if err != nil {
			t.ErrorAt(key, i, "%v", err)
			continue
		}
		out = append(out, term)
	}
	if out == nil && t.Has(key) {
		out = []line.Term{}
	}
	return out
}

// each takes apart what errors.Join put together.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}
