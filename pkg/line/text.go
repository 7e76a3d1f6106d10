package line

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// cableText is a cable as it is written: in the catalogue, in a configuration
// file and in JSON, under the same names.
type cableText struct {
	Name       string    `json:"name,omitempty" toml:"name"`
	Aliases    []string  `json:"aliases,omitempty" toml:"aliases"`
	Title      string    `json:"title,omitempty" toml:"title"`
	OnBattery  string    `json:"on_battery,omitempty" toml:"on_battery"`
	LowBattery string    `json:"low_battery,omitempty" toml:"low_battery"`
	Present    string    `json:"present,omitempty" toml:"present"`
	Replace    string    `json:"replace,omitempty" toml:"replace"`
	Bypass     string    `json:"bypass,omitempty" toml:"bypass"`
	Drive      []string  `json:"drive,omitempty" toml:"drive"`
	Loops      []string  `json:"loops,omitzero" toml:"loops"` // null and [] differ
	Kill       *killText `json:"kill,omitempty" toml:"kill"`
	Source     string    `json:"source,omitempty" toml:"source"`
	Notes      string    `json:"notes,omitempty" toml:"notes"`
}

type killText struct {
	Set   []string `json:"set,omitempty" toml:"set"`
	Break string   `json:"break,omitempty" toml:"break"`
	Send  string   `json:"send,omitempty" toml:"send"`
	Hold  string   `json:"hold,omitempty" toml:"hold"`
	Delay string   `json:"delay,omitempty" toml:"delay"`
}

// MarshalJSON implements [json.Marshaler]: the names are those of a cable in a
// configuration file, times are "5s", bytes are hex.
func (c Cable) MarshalJSON() ([]byte, error) { return json.Marshal(c.text()) }

// UnmarshalJSON implements [json.Unmarshaler]. An unknown name is an error, and
// so is what [Cable.Validate] refuses; c is then left as it was.
func (c *Cable) UnmarshalJSON(data []byte) error {
	var t cableText
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return fmt.Errorf("cannot read cable: %w", err)
	}
	got, err := t.cable()
	if err != nil {
		return fmt.Errorf("cannot read cable %q: %w", t.Name, err)
	}
	*c = got
	return nil
}

func (c Cable) text() cableText {
	t := cableText{
		Name: c.Name, Aliases: c.Aliases, Title: c.Title, Source: c.Source, Notes: c.Notes,
		OnBattery: c.OnBattery.String(), LowBattery: c.LowBattery.String(), Present: c.Present.String(),
		Replace: c.Replace.String(), Bypass: c.Bypass.String(),
		Drive: termTexts(c.Drive), Loops: termTexts(c.Loops),
	}
	if k := c.Kill; k.Exists() {
		t.Kill = &killText{Set: termTexts(k.Set), Send: hex.EncodeToString(k.Send), Delay: seconds(k.Delay)}
		if k.Break != 0 {
			t.Kill.Break = seconds(k.Break)
		}
		if k.Hold != 0 {
			t.Kill.Hold = seconds(k.Hold)
		}
	}
	return t
}

// cable turns the written form into a valid cable, or says all that is wrong.
func (t cableText) cable() (Cable, error) {
	k := &checker{}
	c := Cable{
		Name: t.Name, Aliases: t.Aliases, Title: t.Title, Source: t.Source, Notes: t.Notes,
		OnBattery:  k.term("on_battery", t.OnBattery),
		LowBattery: k.term("low_battery", t.LowBattery),
		Present:    k.term("present", t.Present),
		Replace:    k.term("replace", t.Replace),
		Bypass:     k.term("bypass", t.Bypass),
		Drive:      k.terms("drive", t.Drive),
		Loops:      k.terms("loops", t.Loops),
	}
	if t.Kill != nil {
		c.Kill = k.kill(*t.Kill)
	}
	if len(k.errs) > 0 {
		return Cable{}, errors.Join(k.errs...)
	}
	if err := c.Validate(); err != nil {
		return Cable{}, err
	}
	return c, nil
}

func (k *checker) kill(t killText) Kill {
	kill := Kill{
		Set:   k.terms("kill.set", t.Set),
		Break: k.duration("kill.break", t.Break, 0),
		Hold:  k.duration("kill.hold", t.Hold, 0),
		Delay: k.duration("kill.delay", t.Delay, DefaultKillDelay),
	}
	if t.Send != "" {
		send, err := hex.DecodeString(t.Send)
		if err != nil {
			k.say("kill.send", "%q is not hex; write two digits for each byte, for example \"55\"", t.Send)
		}
		kill.Send = send
	}
	return kill
}

func (k *checker) term(field, s string) Term {
	t, err := ParseTerm(s)
	if err != nil {
		k.say(field, "%v", err)
	}
	return t
}

// terms keeps nil nil and empty empty, because loops tells them apart.
func (k *checker) terms(field string, texts []string) []Term {
	if texts == nil {
		return nil
	}
	terms := make([]Term, 0, len(texts))
	for _, s := range texts {
		if s == "" {
			k.say(field, "an empty name; write a line, or leave it out")
			continue
		}
		terms = append(terms, k.term(field, s))
	}
	return terms
}

func (k *checker) duration(field, s string, absent time.Duration) time.Duration {
	if s == "" {
		return absent
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		k.say(field, "%q is not a time; write one like \"5s\"", s)
	}
	return d
}

func termTexts(terms []Term) []string {
	if terms == nil {
		return nil
	}
	texts := make([]string, 0, len(terms))
	for _, t := range terms {
		texts = append(texts, t.String())
	}
	return texts
}

// seconds writes whole seconds as "120s", which reads better than "2m0s".
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
