package memrack

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// simBack is how a rack comes back: master.toml's [recover], and who else starts machines.
type simBack struct {
	holdOff, limit, stagger time.Duration
	charge                  int // min_charge
	// hands: somebody switches on whatever is off as soon as its mains have lasted.
	hands bool
}

// String tells of it in words.
func (b simBack) String() string {
	w := words{fmt.Sprintf("back after %s, with %d %% or after %s, every %s", b.holdOff, b.charge, b.limit, b.stagger)}
	w.add(b.hands, "somebody switches on what is off")
	return strings.Join(w, ", ")
}

func (b simBack) toml() string {
	return fmt.Sprintf("[recover]\nhold_off = %q\nmin_charge = %d\nlimit = %q\nstagger = %q\n", b.holdOff, b.charge, b.limit, b.stagger)
}

// simOutput is what a UPS does with its output.
type simOutput struct {
	heedless bool    // it ignores orders to cut the load
	through  bool    // one that it has heard it carries out, though the mains are back
	takes    float64 // of the time that its cable gives it to obey
	restart  time.Duration
}

func (o simOutput) tell(w *words) {
	w.add(o.heedless, "ignores its kill")
	w.add(o.through, "cuts on mains too, once it was told")
	w.add(o.takes > 0, fmt.Sprintf("obeys after %.0f %% of its delay", 100*o.takes))
	w.add(o.restart > 0, fmt.Sprintf("on again %s after the mains", o.restart))
}

// simReturn is how a machine comes back. The zero value is one that does, by its power and
// by the magic packet.
type simReturn struct {
	noRestore bool          // its firmware leaves it off when its power comes
	card      card          // what it makes of the magic packet
	loses     int           // so many packets that come to it are lost, each time it is off
	post      time.Duration // from when it is switched on until its daemon runs
	clock     bool          // its [wake] method is rtc alone
}

// card is a network card.
type card int

// The cards.
const (
	listens card = iota
	obeysAgent
	forgets
	ignores
)

func (c card) String() string {
	return []string{"listens", "listens if its agent said so", "listens until its power is lost", "does not listen"}[c]
}

func (r simReturn) tell(w *words) {
	w.add(r.noRestore, "stays off when its power comes")
	w.add(r.card != listens, "its card "+r.card.String())
	w.add(r.loses > 0, fmt.Sprintf("loses %d packets", r.loses))
	w.add(r.post > 0, "starts in "+r.post.String())
	w.add(r.clock, "comes by its clock")
}

func (r simReturn) wakeTOML(prefix string) string {
	if !r.clock {
		return ""
	}
	return fmt.Sprintf("[%swake]\nmethod = [%q]\n", prefix, policy.WakeRTC)
}

// endGame makes how everybody ends and comes back, and what goes wrong with that.
func (p *simPlan) endGame(r *rand.Rand) {
	p.back = simBack{
		holdOff: between(r, time.Second, 40*time.Second), charge: r.IntN(31), limit: between(r, time.Minute, 5*time.Minute),
		stagger: between(r, 0, 3*time.Second), hands: r.IntN(8) == 0,
	}
	for i := range p.ups {
		p.ups[i].simOutput = simOutput{
			heedless: r.IntN(12) == 0, through: r.IntN(3) == 0, takes: r.Float64(), restart: between(r, 0, 20*time.Second),
		}
	}
	if p.masters == 1 && len(p.ups) == 2 && r.IntN(2) == 0 { // the other UPS is cut first
		host := &p.nodes[0]
		host.feeds, host.need, host.named, host.noLow = []int{0}, 1, true, !p.ups[0].low()
	}
	for i := range p.nodes {
		n := &p.nodes[i]
		n.early, n.post = r.IntN(3) == 0, between(r, 2*time.Second, 40*time.Second)
		if i < p.masters {
			continue // nobody could wake it
		}
		n.noRestore = r.IntN(3) == 0
		switch r.IntN(16) {
		case 0:
			n.card = obeysAgent
		case 1:
			n.card = forgets
		case 2:
			n.card = ignores
		case 3:
			n.card, n.clock = ignores, true
		case 4, 5:
			n.loses = 1 + r.IntN(2)
		}
	}
	for range r.IntN(4) {
		p.trouble(r)
	}
}

// trouble adds something that happens in the middle of the end game, or of the way back.
func (p *simPlan) trouble(r *rand.Rand) {
	s := simStep{at: between(r, 0, p.end), when: []moment{asked, accepted, atLast, atLast, starting, starting}[r.IntN(6)], whom: r.IntN(len(p.nodes))}
	if s.when == atLast {
		s.whom = r.IntN(p.masters)
	}
	if r.IntN(4) == 0 {
		s.when = atOnce
	}
	switch what := r.IntN(4); {
	case what == 0:
		s.what, s.on = "crash", s.whom
		if s.when == atLast && r.IntN(2) == 0 {
			s.on = r.IntN(len(p.nodes))
		}
	case s.when == starting || what == 1 && s.when != atLast:
		s.what = "mains gone"
	default:
		s.what = "mains back"
	}
	if s.what != "crash" {
		feeds := p.nodes[s.whom].feeds
		s.on, s.then = feeds[r.IntN(len(feeds))], between(r, 100*time.Millisecond, 2*time.Minute)
		if r.IntN(2) == 0 {
			s.then = between(r, 100*time.Millisecond, 6*time.Second)
		}
	}
	p.steps = append(p.steps, s)
}
