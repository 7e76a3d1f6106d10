package line

import (
	"strings"
	"unicode"
)

// Roots are the folders in which the kernel and udev tell about ports. The zero value
// is this machine's own: /sys, /dev and /proc.
type Roots struct{ Sys, Dev, Proc string }

func (r Roots) orDefault() Roots {
	for _, f := range []struct {
		dir *string
		def string
	}{{&r.Sys, "/sys"}, {&r.Dev, "/dev"}, {&r.Proc, "/proc"}} {
		if *f.dir == "" {
			*f.dir = f.def
		}
	}
	return r
}

// PortInfo is what can be known about a port without opening it, which would pulse
// its lines.
type PortInfo struct {
	Path   string // "/dev/ttyUSB0"
	ByID   string // the link that stays when adapters change places; "": none
	ByPath string // the link that stays when adapters are exchanged; "": none
	Driver string // "8250", "pl2303"; "": not known
	USB    string // "067b:2303"; "": no USB adapter
	Text   string // what a USB adapter says about itself
	// Console: the kernel writes its messages there, and mostly a getty waits too.
	Console bool
	Holders []HeldError // who has it open
	// Hidden: other users' processes could have it open; this user may not look.
	Hidden bool
	// Denied is nil if this user may open it, or says what would help.
	Denied error
}

// Name returns the name to write into a configuration: one that stays.
func (p PortInfo) Name() string {
	if p.ByID != "" {
		return p.ByID
	}
	return p.Path
}

// Trouble returns why the port is no good for a UPS now, nil if nothing is known
// against it.
func (p PortInfo) Trouble() error {
	switch {
	case len(p.Holders) > 0:
		return &p.Holders[0]
	case p.Denied != nil:
		return p.Denied
	case p.Console:
		return errConsole
	}
	return nil
}

// String tells all of it in one paragraph.
func (p PortInfo) String() string {
	parts := []string{p.Path}
	if p.ByID != "" {
		parts = []string{p.ByID + ", now " + p.Path}
	}
	if p.Driver != "" {
		parts = append(parts, "driver "+p.Driver)
	}
	if p.USB != "" {
		parts = append(parts, strings.TrimSpace("USB "+p.USB+" "+p.Text))
	}
	for _, h := range p.Holders {
		parts = append(parts, h.Error())
	}
	if p.Console {
		parts = append(parts, "the kernel's console is there")
	}
	if p.Denied != nil {
		parts = append(parts, p.Denied.Error())
	}
	if p.Hidden {
		parts = append(parts, "you may not see which other users' programs hold it")
	}
	return strings.Join(parts, "; ")
}

// Release says how to get a program off a port for good; tty is the port's name as
// in "ttyS0".
func Release(program, tty string) string {
	switch program {
	case "agetty", "getty", "login", "mgetty":
		return "systemctl disable --now serial-getty@" + tty + ".service, and take console=" + tty + " off the kernel's command line if it is there"
	case "ModemManager":
		return `write SUBSYSTEM=="tty", KERNEL=="` + tty + `", ENV{ID_MM_PORT_IGNORE}="1" into /etc/udev/rules.d/99-ups.rules, then: udevadm control --reload && udevadm trigger && systemctl restart ModemManager`
	case "gpsd":
		return "take the port out of DEVICES in /etc/default/gpsd and set USBAUTO=\"false\" there, then: systemctl restart gpsd.socket gpsd"
	case "brltty":
		return "systemctl mask --now brltty-udev.service brltty.service, unless somebody reads with it"
	case "upsmaster":
		return "systemctl stop upsmaster: nobody watches the UPS while it is stopped"
	case "upsd", "apcupsd", "powerd", "genericups", "upsdrvctl":
		return "stop and disable it: two programs on one UPS fight over its lines"
	}
	return "stop that program, or keep it off this port"
}

// meddles reports whether a program is known to open serial ports that nobody gave it.
func meddles(program string) bool {
	switch program {
	case "ModemManager", "brltty":
		return true
	}
	return false
}

// plain makes text that a device wrote harmless.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s))
}
