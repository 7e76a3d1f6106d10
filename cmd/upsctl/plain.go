package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// fact is one thing that a picture says.
type fact struct {
	about string // what it is on; the same thing has the same
	is    string // what of it counts as a change: no ages, and countdowns only when moved
	says  string // the sentence
}

// say writes the picture as sentences, one for each thing.
func (p picture) say(w io.Writer) {
	for _, f := range p.facts(nil) {
		fmt.Fprintln(w, f.says)
	}
}

// facts are all that a picture says, in its order. With times, a deadline that was
// moved is a change.
func (p picture) facts(times *steady) []fact {
	var out []fact
	add := func(about, is, says string) { out = append(out, fact{about, is, clean(says)}) }
	for _, m := range p.Masters {
		about, is := strings.TrimSuffix("master "+m.Name, " "), m.words()
		says := is
		if m.Reachable {
			says += " answers"
		}
		add(about, is, says)
		if m.Drill != nil {
			add(about+" drill", m.Drill.By, m.Drill.words())
		}
		for _, u := range m.UPS {
			about := "ups " + u.Name
			if len(p.Masters) > 1 {
				about = "ups " + m.Name + "/" + u.Name
			}
			notes, is := "", ""
			for _, n := range u.notes(m.Reachable) {
				notes += "; " + n
				if !strings.HasPrefix(n, "charge ") && !strings.HasPrefix(n, "disabled ") { // they tick
					is += n
				}
			}
			says := about + ": " + u.words() + notes
			if words := u.margin(spoken); words != "" && m.Reachable {
				says += "; foreseen: " + words // no news: it changes as the battery recharges
			}
			add(about, u.State+u.Outage+is+u.Reason, says)
			if words := u.batteryWords(spoken); words != "" {
				add("battery of "+about, fmt.Sprint(u.Battery.Lows, u.Battery.Assumed > 0), "battery of "+about+": "+words)
			}
		}
	}
	if len(p.Masters) == 0 {
		add("masters", "", "no master is known here")
	}
	for _, n := range p.Nodes {
		about := "node " + n.Name
		is := strings.Join(append([]string{n.State, n.Phase, n.Link, n.HeldBy, fmt.Sprint(n.WaitingCount)}, n.WaitingOn...), " ")
		if times != nil && n.Deadline != nil {
			is += times.kept[p.deadlineOf(n)].Round(time.Second).String()
		}
		add(about, is, about+": "+n.words())
	}
	for _, one := range p.Problems {
		about := "problem on " + one.On + ": " + one.Name
		long := ""
		if one.Age != nil {
			long = " for " + spoken(toDuration(*one.Age))
		}
		// Its text has ages in it, so a new one is no news.
		add(about, "", about+long+": "+one.Text)
	}
	if weak := p.weakWords(); weak != "" {
		add("weaknesses", weak, weak)
	}
	return out
}

// words say what a UPS says.
func (u upsPicture) words() string {
	long := spoken(toDuration(u.Age))
	switch u.State {
	case "OK":
		return "on mains for " + long
	case "FAIL":
		return "on battery for " + long
	case "BATLOW":
		return "on battery, and the battery is low, for " + long
	default:
		words := "nobody can see what it does, for " + long
		if u.Reason != "" {
			words += ": " + u.Reason
		}
		return words
	}
}

// words say what a node does, what it believes, and its contact.
func (n nodePicture) words() string {
	if n.Link == linkSeen {
		return "announces itself, and has not joined"
	}
	var words []string
	switch n.State {
	case "OK":
		words = append(words, "on mains")
	case "FAIL":
		words = append(words, "on battery")
	case "BATLOW":
		words = append(words, "battery low")
	default:
		words = append(words, "power not known")
	}
	until := func(form string) string {
		if n.Deadline == nil {
			return ""
		}
		return fmt.Sprintf(form, spoken(toDuration(*n.Deadline)))
	}
	switch n.Phase {
	case "IDLE":
	case "HELD":
		held := "held"
		if n.HeldBy != "" {
			held += " by " + n.HeldBy
		}
		words = append(words, held+until(" for another %s"))
	case "GRACE":
		words = append(words, "going down"+until(" in %s"))
	case "WAITING":
		who := strings.Join(n.WaitingOn, ", ")
		if more := int(n.WaitingCount) - len(n.WaitingOn); more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		words = append(words, "going down after "+who+until(", in %s at the latest"))
	case "COMMITTED":
		words = append(words, "power-off asked")
	case "DONE":
		words = append(words, "power-off accepted")
	default:
		words = append(words, "has not reported")
	}
	return strings.Join(words, ", ") + n.contact()
}

// contact says how a node is in touch, and if not, what becomes of it.
func (n nodePicture) contact() string {
	said := "; link " + n.Link
	if n.Link == "off" {
		said = "; said that it goes"
	}
	return said + n.asides()
}

// asides are what else there is to say of a node.
func (n nodePicture) asides() (said string) {
	if n.Guest != "" {
		said += "; a guest (" + n.Guest + ")"
	}
	switch n.Off {
	case "probed":
		said += "; off: it has gone silent"
	case "assumed":
		said += "; off by now, as far as anybody knows"
	case "cut":
		said += "; off: its power was cut"
	}
	if n.Comeback != nil {
		said += "; " + n.Comeback.Text
	}
	if n.Announced != nil && !*n.Announced && !n.MasterHost {
		said += "; not announced"
	}
	if n.Answers != nil && !*n.Answers && n.Link == "up" && !n.MasterHost {
		said += "; no answer"
	}
	return said
}

// spoken is a duration as it is read out: "4 minutes 12 seconds".
func spoken(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	units := []struct {
		name string
		long int
	}{{"day", 24 * 60 * 60}, {"hour", 60 * 60}, {"minute", 60}, {"second", 1}}
	for i, u := range units {
		if s < u.long && u.long > 1 {
			continue
		}
		said := counted(s/u.long, u.name)
		if i+1 < len(units) {
			if rest := s % u.long / units[i+1].long; rest > 0 {
				said += " " + counted(rest, units[i+1].name)
			}
		}
		return said
	}
	return "0 seconds"
}

func counted(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
