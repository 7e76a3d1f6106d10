package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
)

// chooseCable finds out the cable: by name, by what is printed on it, or by watching.
func (w *wizard) chooseCable(ctx context.Context) error {
	if w.plan.sim() {
		if w.o.Cable != "" {
			return fmt.Errorf("--cable: %q, and a pretended UPS has no cable; leave it out, or write --port PATH", w.o.Cable)
		}
		return nil
	}
	w.t.gap()
	c, err := w.knownCable(ctx)
	if err != nil {
		return err
	}
	info, err := w.o.Port(w.plan.port)
	if err != nil {
		return err
	}
	if held(info) {
		if c.Name == "" {
			return w.heldByUs(info)
		}
		w.plan.cable = c
		return nil
	}
	if c.Name != "" {
		w.plan.cable = c
		if w.o.Yes || !w.o.Terminal {
			return nil
		}
		ok, err := w.t.confirm(ctx, "Check it by pulling the UPS's plug for a moment?", "", "", false, "y")
		if err != nil || !ok {
			return err
		}
	}
	return w.findOut(ctx, c)
}

// knownCable returns the cable that was named, or none: it is to be found out.
func (w *wizard) knownCable(ctx context.Context) (line.Cable, error) {
	if name := w.o.Cable; name != "" {
		c, ok := line.Lookup(name)
		if !ok {
			return c, fmt.Errorf("--cable: no cable is called %q; %s", name, meant(name))
		}
		return c, nil
	}
	if !w.o.Terminal {
		return line.Cable{}, &MissingError{"the cable", "--cable NAME, which `upsctl cables` lists"}
	}
	for {
		letters, err := w.t.ask(ctx, question{
			what: "the cable", flag: "--cable NAME",
			text: "Which cable? Its name, or a word that stands on the UPS or the cable, such as its maker; Enter: find out by watching it",
		})
		if err != nil || letters == "" {
			return line.Cable{}, err
		}
		found := line.Find(letters)
		if len(found) == 0 {
			w.t.say("No known cable has %q in its name or title.", letters)
			continue
		}
		for i, c := range found {
			w.t.item("  %d. %s", i+1, describeCable(c))
		}
		answer, err := w.t.ask(ctx, question{
			what: "the cable", flag: "--cable NAME", def: "0", check: number(0, len(found)),
			text: "Which of them? 0: none of these, or not sure",
		})
		if err != nil {
			return line.Cable{}, err
		}
		if n, _ := strconv.Atoi(answer); n > 0 {
			return found[n-1], nil
		}
	}
}

// describeCable tells what an owner can compare with a label.
func describeCable(c line.Cable) string {
	text := c.Name + ": " + c.Title + "; on battery " + c.OnBattery.String()
	if c.HasLow() {
		text += ", low " + c.LowBattery.String()
	}
	return text + "; " + killWords(c.Kill)
}

func killWords(k line.Kill) string {
	switch {
	case len(k.Set) > 0:
		var terms []string
		for _, t := range k.Set {
			terms = append(terms, t.String())
		}
		return fmt.Sprintf("%s for %s cuts the load", strings.Join(terms, " and "), config.FormatDuration(k.Hold))
	case k.Break > 0:
		return "a break cuts the load"
	case len(k.Send) > 0:
		return "data cuts the load"
	}
	return "can't cut the load"
}

// number returns a check for an answer from least to most.
func number(least, most int) func(string) (string, error) {
	return func(s string) (string, error) {
		if n, err := strconv.Atoi(s); err != nil || n < least || n > most {
			return "", fmt.Errorf("write a number from %d to %d", least, most)
		}
		return s, nil
	}
}

func meant(name string) string {
	var names []string
	for _, c := range line.Catalogue() {
		names = append(append(names, c.Name), c.Aliases...)
	}
	if near := config.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "`upsctl cables` lists them"
}

// heldByUs ends a search for a cable on a port that must not be opened.
func (w *wizard) heldByUs(info line.PortInfo) error {
	w.tell(w.running)
	return fmt.Errorf("%s is watched by the running master, so it can't be looked at: an open would move the lines; name the cable with --cable, or stop the master first (systemctl stop upsmaster): nobody watches the UPS meanwhile", info.Name())
}

// settle takes what was seen and lets the owner choose. named is the cable that he
// named, if he did.
func (w *wizard) settle(ctx context.Context, named line.Cable, seen []line.Observation) error {
	w.t.gap()
	if named.Name != "" {
		switch j := line.Judge(named, seen); j.Verdict {
		case line.Fits:
			w.t.say("%s fits: %s.", named.Name, strings.Join(j.Why, "; "))
			return nil
		case line.Open:
			w.t.say("Nothing was seen that speaks for %s or against it.", named.Name)
			return nil
		default:
			w.t.say("That is not what %s would do: %s.", named.Name, strings.Join(j.Why, "; "))
		}
	}
	fits := slices.DeleteFunc(line.Identify(line.Catalogue(), seen), func(j line.Judgement) bool { return j.Verdict != line.Fits })
	if len(fits) == 0 {
		w.t.say("No known cable does what was seen.")
		return w.ownCable(ctx, seen, nil)
	}
	w.t.say("%d known cables fit what was seen, the likeliest first:", len(fits))
	alike := true
	for i, j := range fits {
		w.t.item("  %d. %s. Seen: %s", i+1, describeCable(j.Cable), strings.Join(j.Why, "; "))
		alike = alike && j.Cable.ReadsAs(fits[0].Cable)
	}
	w.t.item("  own. none of these names: read the lines as seen, and never cut the load")
	if alike {
		w.t.say("All of them read the lines alike.")
	}
	w.t.say("How a cable cuts the load can't be seen by watching. Choose one only if you know it by its name; own is safe in any case.")
	answer, err := w.t.ask(ctx, question{
		what: "which cable", flag: "--cable NAME", text: "Which one?",
		check: func(s string) (string, error) {
			if s == "own" {
				return s, nil
			}
			if _, err := number(1, len(fits))(s); err != nil {
				return "", fmt.Errorf("%w, or own", err)
			}
			return s, nil
		},
	})
	if err != nil {
		return err
	}
	if answer == "own" {
		return w.ownCable(ctx, seen, fits)
	}
	n, _ := strconv.Atoi(answer)
	w.plan.cable, w.plan.inline = fits[n-1].Cable, false
	w.t.say("Cable: %s", w.plan.cable.Name)
	return nil
}

// ownCable writes down a cable from what was seen.
func (w *wizard) ownCable(ctx context.Context, seen []line.Observation, fits []line.Judgement) error {
	moved, outputs := line.Moved(seen, line.MainsOut)
	if len(moved) == 0 {
		return errors.New("nothing was seen that a cable could be written down from: no line moved when the plug was out; name the cable with --cable")
	}
	c := line.Cable{Name: "own", OnBattery: moved[0], Drive: []line.Term{
		{Line: line.DTR, Low: outputs&line.DTR == 0}, {Line: line.RTS, Low: outputs&line.RTS == 0},
	}}
	if len(fits) > 0 && slices.Contains(moved, fits[0].Cable.OnBattery) {
		c.OnBattery = fits[0].Cable.OnBattery
	} else if len(moved) > 1 {
		w.t.say("Several lines moved when the plug was out.")
		for i, m := range moved {
			w.t.item("  %d. %s: on battery when %s", i+1, m.Line, level(m))
		}
		answer, err := w.t.ask(ctx, question{what: "which line says on battery", flag: "--cable NAME", def: "1",
			text: "Which one says that the UPS is on battery?", check: number(1, len(moved))})
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(answer)
		c.OnBattery = moved[n-1]
	}
	low, _ := line.Moved(seen, line.BatteryLow)
	for _, l := range low {
		if !slices.ContainsFunc(moved, func(m line.Term) bool { return m.Line == l.Line }) {
			c.LowBattery = l
			break
		}
	}
	if err := c.Validate(); err != nil {
		return err
	}
	w.plan.cable, w.plan.inline = c, true
	text := "on battery when " + c.OnBattery.Line.String() + " is " + level(c.OnBattery)
	if c.HasLow() {
		text += ", battery low when " + c.LowBattery.Line.String() + " is " + level(c.LowBattery)
	} else {
		text += "; it can't say that the battery is low"
	}
	w.t.say("Your own cable: %s; outputs held at %s. It never cuts the load.", text, outputs.Outputs())
	return nil
}

func level(t line.Term) string {
	if t.Low {
		return "low"
	}
	return "high"
}
