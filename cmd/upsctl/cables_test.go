package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// soldered is a cable with everything that a cable can have.
func soldered() line.Cable {
	return line.Cable{
		Name: "bench", Title: "made on the bench", Aliases: []string{"nut-99"}, Source: "a drawing", Notes: "hot",
		OnBattery: line.Term{Line: line.CTS, Low: true}, LowBattery: line.Term{Line: line.DCD, Low: true},
		Present: line.Term{Line: line.DSR}, Replace: line.Term{Line: line.RI},
		Drive: []line.Term{{Line: line.DTR}, {Line: line.RTS, Low: true}}, Loops: []line.Term{{Line: line.DCD}},
		Kill: line.Kill{Set: []line.Term{{Line: line.RTS}}, Hold: 5 * time.Second, Delay: 2 * time.Minute},
	}
}

func TestShowCable(t *testing.T) {
	send := soldered()
	send.Present, send.Replace = line.Term{}, line.Term{}
	send.Kill, send.Aliases, send.Notes = line.Kill{Send: []byte{0x55}, Hold: time.Second, Delay: time.Minute}, nil, ""
	mute := line.Cable{Name: "mute", Title: "says one thing", OnBattery: line.Term{Line: line.DCD}}
	for _, tt := range []struct {
		cable line.Cable
		want  string
	}{
		{soldered(), `bench: made on the bench
also: nut-99

LINE  DB9  DB25
CTS   8    5     on battery when low
DSR   6    6     UPS present when high
DCD   1    8     battery low when low, held high by the cable itself
RI    9    22    replace the battery when high
DTR   4    20    held high
RTS   7    4     held low, high cuts the load

cuts the load: RTS for 5s; the UPS may take 2m to obey
pulled out at the computer: ` + soldered().PulledAtComputer().String() + `
pulled out at the UPS: ` + soldered().PulledAtUPS().String() + `
on battery and low at once is not believed before batlow_jump: it may be the plug
source: a drawing
notes: hot
`},
		{send, `bench: made on the bench

LINE  DB9  DB25
CTS   8    5     on battery when low
DCD   1    8     battery low when low, held high by the cable itself
DTR   4    20    held high
RTS   7    4     held low
TXD   3    2     cuts the load: data 55

cuts the load: data 55 for 1s; the UPS may take 1m to obey
pulled out at the computer: on battery and battery low
pulled out at the UPS: on battery
on battery and low at once is not believed before batlow_jump: it may be the plug
source: a drawing
`},
		{mute, `mute: says one thing

LINE  DB9  DB25
DCD   1    8     on battery when high
DTR   4    20    held low
RTS   7    4     held low

cuts the load: never, this cable can't
pulled out at the computer: on mains: nothing can be seen, not even that the cable is out
pulled out at the UPS: not known: it depends on pull-ups inside the cable
`},
	} {
		t.Run(tt.cable.Name, func(t *testing.T) {
			var out strings.Builder
			showCable(&out, tt.cable)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCables: every cable has a line of at most 80 characters, and a page.
func TestCables(t *testing.T) {
	got := run(t, nil, "cables")
	if got.Code != exitWell || got.Err != "" {
		t.Fatalf("%+v", got)
	}
	if list := run(t, nil, "cables", "list"); list != got {
		t.Error("cables list is not cables")
	}
	lines := slices.Collect(strings.Lines(got.Out))
	if len(lines) != len(line.Catalogue())+1 {
		t.Errorf("%d lines for %d cables", len(lines), len(line.Catalogue()))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > maxWidth {
			t.Errorf("%d characters: %s", n, l)
		}
	}
	for _, c := range line.Catalogue() {
		page := run(t, nil, "cables", "show", c.Name)
		if page.Code != exitWell || !strings.HasPrefix(page.Out, c.Name+": ") {
			t.Errorf("%+v", page)
		}
	}
}

// TestCablesJSON: what is printed can be read back as the same cables.
func TestCablesJSON(t *testing.T) {
	var all []line.Cable
	if err := json.Unmarshal([]byte(run(t, nil, "cables", "--json").Out), &all); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(line.Catalogue(), all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var one line.Cable
	if err := json.Unmarshal([]byte(run(t, nil, "cables", "show", "liebert-powersure", "--json").Out), &one); err != nil {
		t.Fatal(err)
	}
	if want, _ := line.Lookup("liebert-powersure"); !cmp.Equal(want, one) {
		t.Error(cmp.Diff(want, one))
	}
}
