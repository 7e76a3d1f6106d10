package line

import (
	"strings"
	"testing"
	"time"
)

func TestWordsOfAProbe(t *testing.T) {
	t.Parallel()
	nut23, _ := Lookup("nut-23")
	gmbh, _ := Lookup("genpower-gmbh-usv")
	for _, tt := range []struct{ got, want string }{
		{(DTR | DCD).Inputs(), "CTS low, DSR low, DCD high, RI low"},
		{(DTR | DCD).Outputs(), "DTR high, RTS low"},
		{Change{Was: CTS | DTR, Lines: DCD | DTR}.String(), "CTS fell, DCD rose"},
		{Change{Pulses: 1}.String(), "a pulse, over before it could be read"},
		{Change{Lines: RI, Pulses: 3}.String(), "RI rose, 3 changes, over before they could be read"},
		{Change{Err: ErrLost}.String(), "the port is gone"},
		{Since(40*time.Millisecond + 400*time.Microsecond), "40ms"},
		{Since(12340 * time.Millisecond), "12.3s"},
		{Since(61400 * time.Millisecond), "1m1s"},
		{nut23.Says(CTS | DCD | RI | DSR), "on mains"},
		{nut23.Says(DSR), "on battery, battery low, replace the battery"},
		{nut23.Says(CTS | RI), "on mains, the battery is worn, on bypass"},
		{gmbh.Says(CTS | DCD), "not known: no plug: the cable says so on DSR; check both ends of it"},
		{NameAll(nil, "or"), ""},
		{NameAll([]Cable{{Name: "a"}}, "or"), "a"},
		{NameAll([]Cable{{Name: "a"}, {Name: "b"}, {Name: "c"}}, "or"), "a, b or c"},
		{NameAll(Catalogue()[:10], "and"), "liebert-powersure, powerd, advice-1200a, tripplite-bc-lan, apc-back-ups, apc-back-ups-txd and 4 more"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

// TestLaw04OpenWarning: every known cable that an open or the levels held then could
// hurt is counted, and one that is safe says nothing.
func TestLaw04OpenWarning(t *testing.T) {
	t.Parallel()
	for _, c := range Catalogue() {
		text := strings.Join(OpenWarning([]Cable{c}, c.Idle()), " ")
		if hurt := c.KilledBy(Outputs); strings.Contains(text, c.Name) != hurt || (text == "") == hurt {
			t.Errorf("%s, hurt by the open: %v; warning %q", c.Name, hurt, text)
		}
	}
	text := strings.Join(OpenWarning(Catalogue(), 0), "\n")
	for _, want := range []string{"and 16 more", "DTR low, RTS low for some seconds is what switches the UPS off on nut-4 and nut-23", "this machine included"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestPortInWords(t *testing.T) {
	t.Parallel()
	p := PortInfo{Path: "/dev/ttyUSB0", ByID: "/dev/serial/by-id/a", Driver: "pl2303", USB: "067b:2303", Text: "Prolific", Console: true,
		Holders: []HeldError{{7, "gpsd"}}, Hidden: true, Denied: ErrPermission}
	want := "/dev/serial/by-id/a, now /dev/ttyUSB0; driver pl2303; USB 067b:2303 Prolific; held by gpsd (pid 7); the kernel's console is there; permission denied; you may not see which other users' programs hold it"
	if got := p.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := (PortInfo{Path: "/dev/ttyS0"}).String(); got != "/dev/ttyS0" {
		t.Error(got)
	}
}
