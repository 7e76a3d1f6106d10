package cut

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// FileName is the seal's name in the master's run folder, which no boot outlives.
const FileName = "seal.json"

// Path returns where the seal of a master with that run folder lies.
func Path(run string) string { return filepath.Join(run, FileName) }

// Why a seal lets nothing. What [Load] and [Seal.Check] return wraps one of these.
var (
	// ErrNone: there is no seal, which is how nearly every shutdown is.
	ErrNone = errors.New("there is no seal")
	// ErrTorn: it is not what was written: truncated, or its checksum is wrong.
	ErrTorn = errors.New("the seal is torn")
	// ErrForeign: it is not this program's or not for this rack's UPSes.
	ErrForeign = errors.New("the seal is foreign")
	// ErrOtherBoot: it was made in another boot, whose outage is over.
	ErrOtherBoot = errors.New("the seal is of another boot")
	// ErrExpired: it was good for so long, and that is over.
	ErrExpired = errors.New("the seal has expired")
)

// Seal is the decision that the load may be cut: by one machine, in one boot, for a
// while.
type Seal struct {
	Boot    string       `json:"boot"`    // of the machine that is to cut
	Made    power.Uptime `json:"made"`    // when
	Expires power.Uptime `json:"expires"` // who comes later than this does nothing by it
	UPS     []Sealed     `json:"ups"`     // all that are to be cut
}

// Sealed is one UPS that is to be cut.
type Sealed struct {
	Name   string `json:"name"`
	Outage string `json:"outage"` // the id of the one that it ends
	Port   string `json:"port"`
	// Cable is how it is cut. One without a kill is sealed too: the machine then
	// waits for the mains instead of staying halted for ever.
	Cable line.Cable `json:"cable"`
	// NotBefore is when everybody who lives on it is off.
	NotBefore power.Uptime `json:"not_before"`
	// EmptyBy is when its battery is empty for sure, however little hangs on it: what
	// still runs then runs on none. 0: nobody knows.
	EmptyBy power.Uptime `json:"empty_by,omitempty"`
	// Own: the machine that cuts lives on it itself, so it is cut last.
	Own bool `json:"own"`
}

// form is the number of the seal's written form. Another one is foreign: this
// program was replaced by one that can't know what the other meant.
const form = 1

// written is how a seal lies on disk. Hash ties each cable to what is cut by it.
type written struct {
	Form  int      `json:"form"`
	Seal  Seal     `json:"seal"`
	Hash  []string `json:"hash"`
	Wrote string   `json:"wrote"` // for people
}

// Write writes the seal whole or not at all. fsys nil: the real disk.
func Write(fsys journal.FS, path string, s Seal) error {
	if err := s.sound(); err != nil {
		return fmt.Errorf("cannot write the seal: %w", err)
	}
	w := written{Form: form, Seal: s, Wrote: "lets the late unit cut the load; removed when the power is good"}
	for _, u := range s.UPS {
		w.Hash = append(w.Hash, hash(u.Cable))
	}
	return journal.SaveOn(fsys, path, w)
}

// Remove removes the seal. None there is no error.
func Remove(fsys journal.FS, path string) error { return journal.RemoveOn(fsys, path) }

// Load reads the seal at path. It says nothing about whether it is good here and
// now: that is [Seal.Check].
func Load(fsys journal.FS, path string) (Seal, error) {
	var w written
	switch err := journal.LoadOn(fsys, path, &w); {
	case errors.Is(err, fs.ErrNotExist):
		return Seal{}, ErrNone
	case errors.Is(err, journal.ErrCorrupt):
		return Seal{}, fmt.Errorf("%w: %w", ErrTorn, err)
	case err != nil:
		return Seal{}, err
	}
	if w.Form != form {
		return Seal{}, fmt.Errorf("%w: its form is %d, this program's is %d", ErrForeign, w.Form, form)
	}
	if len(w.Hash) != len(w.Seal.UPS) {
		return Seal{}, fmt.Errorf("%w: %d checksums for %d UPSes", ErrTorn, len(w.Hash), len(w.Seal.UPS))
	}
	for i, u := range w.Seal.UPS {
		if hash(u.Cable) != w.Hash[i] {
			return Seal{}, fmt.Errorf("%w: the cable of UPS %s is not what was sealed", ErrForeign, u.Name)
		}
	}
	if err := w.Seal.sound(); err != nil {
		return Seal{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return w.Seal, nil
}

// Wired is a UPS as the configuration has it.
type Wired struct {
	Name  string
	Port  string
	Cable line.Cable
}

// Here is what a seal is held against: this boot, this moment, and the UPSes of the
// configuration; nil: it can't be read, and what broke disarms nothing (law 10).
type Here struct {
	Boot string
	Now  power.Uptime
	UPS  []Wired
}

// Check returns nil if the seal is good here and now, else why not.
func (s Seal) Check(h Here) error {
	switch {
	case s.Boot != h.Boot || h.Boot == "":
		return fmt.Errorf("%w: it was made in %q, this is %q", ErrOtherBoot, s.Boot, h.Boot)
	case s.Made.After(h.Now):
		return fmt.Errorf("%w: it was made %v from now", ErrForeign, s.Made.Sub(h.Now))
	case !h.Now.Before(s.Expires):
		return fmt.Errorf("%w: %v ago", ErrExpired, h.Now.Sub(s.Expires))
	}
	if h.UPS == nil {
		return nil
	}
	for _, u := range s.UPS {
		if err := u.configured(h.UPS); err != nil {
			return err
		}
	}
	return nil
}

// configured returns nil if the configuration has this UPS with this port and cable.
func (u Sealed) configured(all []Wired) error {
	for _, w := range all {
		switch {
		case w.Name != u.Name:
		case w.Port != u.Port:
			return fmt.Errorf("%w: it has UPS %s on %s, the configuration on %s", ErrForeign, u.Name, u.Port, w.Port)
		case hash(w.Cable) != hash(u.Cable):
			return fmt.Errorf("%w: the configuration has another cable for UPS %s", ErrForeign, u.Name)
		default:
			return nil
		}
	}
	return fmt.Errorf("%w: UPS %s is not in the configuration", ErrForeign, u.Name)
}

// sound returns what is wrong with the seal itself, wherever it is read.
func (s Seal) sound() error {
	switch {
	case s.Boot == "":
		return errors.New("it names no boot")
	case len(s.UPS) == 0:
		return errors.New("it names no UPS")
	case !s.Made.Before(s.Expires):
		return errors.New("it expires before it is made")
	}
	names, ports := map[string]bool{}, map[string]bool{}
	for _, u := range s.UPS {
		switch {
		case u.Name == "" || names[u.Name]:
			return fmt.Errorf("it names UPS %q twice or not at all", u.Name)
		case u.Outage == "":
			return fmt.Errorf("it names no outage of UPS %s", u.Name)
		case !filepath.IsAbs(u.Port) || ports[u.Port]:
			return fmt.Errorf("the port of UPS %s, %q, is none or another's", u.Name, u.Port)
		case u.NotBefore.Before(s.Made):
			return fmt.Errorf("UPS %s may be cut before the seal was made", u.Name)
		case u.EmptyBy != 0 && u.EmptyBy.Before(s.Made):
			return fmt.Errorf("the battery of UPS %s was empty before the seal was made", u.Name)
		}
		if err := u.Cable.Validate(); err != nil {
			return fmt.Errorf("the cable of UPS %s: %w", u.Name, err)
		}
		names[u.Name], ports[u.Port] = true, true
	}
	return nil
}

// hash names what a cable does, for comparison; words for people don't count.
func hash(c line.Cable) string {
	c.Aliases, c.Title, c.Source, c.Notes = nil, "", "", ""
	text, err := json.Marshal(c)
	if err != nil {
		return "" // can't be: every field is text by then
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
