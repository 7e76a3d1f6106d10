package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/config"
)

// Summary is the story in one line, for people, in this master's local time.
func (o *Outage) Summary() string {
	head := o.began.wall.Format("15:04") + " failed"
	if o.pretended {
		head = o.began.wall.Format("15:04") + " failed (pretended)"
	}
	var says []string
	anybody := false // had to go
	for _, p := range o.parts {
		anybody = anybody || p.committed != nil
	}
	if anybody {
		says = append(says, o.sayDown()...)
	} else if d, rough, ended := o.lasted(); ended && o.dark == nil {
		head += " for " + spell(d, rough)
	}
	says = append(says, o.sayPower(anybody)...)
	says = append(says, o.sayBack()...)
	says = append(says, o.sayNodes()...)
	return head + "; " + strings.Join(says, "; ")
}

// lasted returns how long the outage was, where its end was seen.
func (o *Outage) lasted() (d time.Duration, rough, ended bool) {
	if o.end == nil {
		return 0, false, false
	}
	d, rough = o.after(o.end)
	return d, rough, true
}

// sayDown says how many went, in what time, and who took longest.
func (o *Outage) sayDown() []string {
	var first, last, longest time.Duration
	of, down, timed := 0, 0, 0
	slowest := ""
	for _, p := range o.sorted() {
		if p.removed || p.absent && p.committed == nil {
			continue
		}
		of++
		if p.went() {
			down++
		}
		if p.down == nil {
			continue
		}
		asked, _ := o.after(p.committed)
		off, rough := o.after(p.down)
		if rough {
			continue
		}
		if timed++; timed == 1 || asked < first {
			first = asked
		}
		last = max(last, off)
		if took := off - asked; slowest == "" || took > longest {
			slowest, longest = p.name, took
		}
	}
	says := []string{fmt.Sprintf("%d of %d down", down, of)}
	if timed > 0 {
		says[0] += " in " + spell(last-first, false)
	}
	if timed > 1 {
		says = append(says, "slowest "+slowest+" "+spell(longest, false))
	}
	return says
}

// sayPower says what the UPS did.
func (o *Outage) sayPower(anybody bool) (says []string) {
	if !anybody && o.over {
		says = append(says, "nobody had to go down")
	}
	if o.low != nil {
		d, rough := o.after(o.low)
		says = append(says, "battery low after "+spell(d, rough))
	}
	if o.dark != nil {
		d, _ := o.after(o.dark)
		says = append(says, "the master's machine was off from "+spell(d, false)+" on")
	}
	d, rough, ended := o.lasted()
	switch {
	case ended && (anybody || o.dark != nil):
		says = append(says, "power back after "+spell(d, rough))
	case ended:
	case o.over:
		says = append(says, "nobody saw its end")
	default:
		says = append(says, "it is not over")
	}
	return says
}

// sayBack says who came back when, of those that had to be woken.
func (o *Outage) sayBack() []string {
	var says []string
	last, rough := time.Duration(0), false
	slowest := ""
	for _, p := range o.sorted() {
		if p.woken == 0 || p.back == nil || o.end == nil {
			continue
		}
		up, guess := o.after(p.back)
		over, also := o.after(o.end)
		took := max(0, up-over)
		if slowest == "" || took > last {
			slowest, last, rough = p.name, took, guess || also
		}
		says = append(says, fmt.Sprintf("%s came back %s after it, woken", p.name, spell(took, guess || also)))
	}
	if len(says) > 3 {
		return []string{fmt.Sprintf("%d were woken, %s was the last to come back, %s after it", len(says), slowest, spell(last, rough))}
	}
	return says
}

// special is what a summary says of single nodes, the worst first.
type special int

const (
	nothingSpecial special = iota
	neverWent
	askedInVain
	wentBefore
	crashed
	unwatched
	notBack
	isLost
	calledBack
	notAttached
	wasRemoved
	specials
)

// words returns it as said of one node, and of several.
func (s special) words() (one, many string) {
	switch s {
	case neverWent:
		return "never went down", "never went down"
	case askedInVain:
		return "asked to power off but has not gone down", "asked to power off but have not gone down"
	case wentBefore:
		return "was on its way down already", "were on their way down already"
	case crashed:
		return "was off without having asked", "were off without having asked"
	case unwatched:
		return "was off, nobody saw why", "were off, nobody saw why"
	case notBack:
		return "is not back", "are not back"
	case isLost:
		return "was lost", "were lost"
	case calledBack:
		return "was called back", "were called back"
	case notAttached:
		return "was not attached", "were not attached"
	case wasRemoved:
		return "was removed", "were removed"
	default:
		return "", ""
	}
}

// sayNodes says what is special of single nodes, those of a kind together.
func (o *Outage) sayNodes() (says []string) {
	var names [specials][]string
	for _, p := range o.sorted() {
		s := o.special(p)
		names[s] = append(names[s], p.name)
	}
	for s := neverWent; s < specials; s++ {
		one, many := s.words()
		switch len(names[s]) {
		case 0:
		case 1:
			says = append(says, names[s][0]+" "+one)
		default:
			says = append(says, list(names[s])+" "+many)
		}
	}
	return says
}

// special returns what is special of a node.
func (o *Outage) special(p *part) special {
	switch {
	case p.removed:
		return wasRemoved
	case p.before:
		return wentBefore
	case p.crashed:
		return crashed
	case p.unwatched:
		return unwatched
	case p.went():
		if o.over && p.back == nil {
			return notBack
		}
		return nothingSpecial
	case p.asked():
		return askedInVain
	case p.calledBack:
		return calledBack
	case (p.lost != nil || p.unheard != nil) && p.back == nil:
		return isLost
	case p.absent:
		return notAttached
	case o.low != nil && p.lost == nil:
		return neverWent // an empty battery is for everybody
	default:
		return nothingSpecial
	}
}

// list names up to three.
func list(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), n-3)
	}
}

// spell writes a duration for people: "2.4s", "8m12s", "5m", "1h2m"; rough ones with
// a word before them.
func spell(d time.Duration, rough bool) string {
	unit := time.Second
	switch {
	case d < 10*time.Second:
		unit = 100 * time.Millisecond
	case d >= time.Hour:
		unit = time.Minute
	}
	s := config.FormatDuration(d.Round(unit))
	if rough {
		return "about " + s
	}
	return s
}

// Times says how often, for people.
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
