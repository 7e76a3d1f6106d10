package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the timeline, what comes of each UPS and what was assumed.
func (f foreseen) print(w io.Writer, st style) {
	head := "if the power failed now:"
	if f.GoingOn {
		head = "while the power stays away:"
	}
	fmt.Fprintln(w, head)
	rows := f.rows()
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r.when))
	}
	for _, r := range rows {
		line := fmt.Sprintf("%-*s  %s: %s", wide, r.when, r.words(), r.text)
		for i, l := range strings.Split(strings.TrimSuffix(wrapTo(clean(line), cmp.Or(st.width, maxWidth)-wide-2), "\n"), "\n") {
			if i == 0 { // wrapTo takes runs of blanks for one
				l = fmt.Sprintf("%-*s  %s", wide, r.when, strings.TrimSpace(strings.TrimPrefix(l, r.when)))
			} else {
				l = strings.Repeat(" ", wide+2) + l
			}
			fmt.Fprintln(w, l)
		}
	}
	fmt.Fprintln(w)
	for _, u := range f.UPS {
		fmt.Fprint(w, wrapTo(clean(u.words()), cmp.Or(st.width, maxWidth)))
	}
	for _, text := range f.Warnings {
		fmt.Fprint(w, wrapTo(clean("note: "+text), cmp.Or(st.width, maxWidth)))
	}
}

// words sum up what comes of a UPS.
func (u foreseenUPS) words() string {
	text := "ups " + u.Name + ": "
	if u.Last == "" {
		return text + "no machine goes down because of it"
	}
	text += fmt.Sprintf("%s is off last, %s", u.Last, u.lastOff())
	if u.Cut != nil {
		text += "; the load is cut at " + when(*u.Cut, u.AfterLow)
	}
	if u.End != nil {
		text += "; the battery is expected to be empty at " + when(*u.End, u.AfterLow)
	}
	low := func(d time.Duration) string {
		if d < 0 {
			return "too short by " + span(-d)
		}
		return span(d)
	}
	switch {
	case u.Margin != nil && *u.Margin < 0:
		text += ": TOO SHORT by " + span(toDuration(-*u.Margin))
	case u.Margin != nil:
		text += ": margin " + span(toDuration(*u.Margin))
	default:
		text += "; nobody can say whether the battery lasts that long"
	}
	if u.LowMargin != nil {
		text += " (were it low at once: " + low(toDuration(*u.LowMargin)) + ")"
	}
	return text
}

// lastOff says when the last machine is off.
func (u foreseenUPS) lastOff() string {
	if u.AfterLow && *u.LastOff < 0 {
		return "before the battery is low"
	}
	return "at " + when(*u.LastOff, u.AfterLow)
}
