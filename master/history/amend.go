package history

import (
	"fmt"
	"strings"
	"time"
)

// Report returns what is to be told of an outage now: its story, or that those are back
// who were not when that was told.
func (o *Outage) Report() (text string, amends bool) {
	if o.amended {
		return o.amendment(), true
	}
	return o.Summary(), false
}

// amendment says who came back, and when, since the report was told.
func (o *Outage) amendment() string {
	var says []string
	last, took := "", time.Duration(-1)
	when := "15:04"
	for _, p := range o.sorted() {
		if p.back == nil || !o.late.before(*p.back) {
			continue
		}
		if p.back.wall.Sub(o.began.wall) >= 20*time.Hour { // else it is clear which day's it was
			when = "2 January 15:04"
		}
		one := p.name
		if o.end != nil {
			up, guess := o.after(p.back)
			over, also := o.after(o.end)
			one += fmt.Sprintf(" %s after the power", spell(max(0, up-over), guess || also))
			if d := up - over; last == "" || d > took {
				last, took = one, d
			}
		}
		if p.woken > 0 {
			one += ", woken " + Times(p.woken)
		}
		says = append(says, one)
	}
	head := "the outage of " + o.began.wall.Format(when) + ": "
	switch {
	case len(says) == 0:
		return head + "nobody is waited for any more"
	case len(says) > 3 && last != "":
		return head + fmt.Sprintf("everybody is back now; %d came late, %s as the last", len(says), last)
	}
	return head + "everybody is back now; " + strings.Join(says, "; ")
}
