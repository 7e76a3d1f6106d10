package wake

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ways that have something to arm on the machine itself.
const (
	WOL = "wol" // its network cards listen for the magic packet
	RTC = "rtc" // its clock has an alarm
)

// Machine is this machine, as far as it can be woken. The zero value is the real one.
type Machine struct {
	// Sys is where sysfs lies; empty: /sys.
	Sys string
	// Card asks a network card by what it can be woken and is, as bits of WAKE_MAGIC and
	// its like, and with on has it listen for the magic packet; nil: the real one.
	Card func(name string, on bool) (can, is uint32, err error)
}

// card is one network card.
type card struct {
	name string
	mac  net.HardwareAddr
}

// wakeMagic is the bit that stands for the magic packet (ethtool(8), "wol g").
const wakeMagic = 1 << 5

func (m Machine) path(elem ...string) string {
	root := m.Sys
	if root == "" {
		root = "/sys"
	}
	return filepath.Join(append([]string{root, "class"}, elem...)...)
}

// Addresses returns the hardware addresses of the network cards, by which this machine
// can be woken, sorted. Where there are none but made ones, as in a container, it returns
// those: whoever has the other end may listen.
func (m Machine) Addresses() ([]net.HardwareAddr, error) {
	cards, made, err := m.cards()
	if err != nil {
		return nil, err
	}
	if len(cards) == 0 {
		cards = made
	}
	var out []net.HardwareAddr
	for _, c := range cards {
		if !slices.ContainsFunc(out, func(a net.HardwareAddr) bool { return a.String() == c.mac.String() }) {
			out = append(out, c.mac)
		}
	}
	slices.SortFunc(out, func(a, b net.HardwareAddr) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// cards returns the Ethernet interfaces: those with a device behind them, and those that
// are made of nothing or of others.
func (m Machine) cards() (real, made []card, err error) {
	dirs, err := os.ReadDir(m.path("net"))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot look at the network cards: %w", err)
	}
	for _, d := range dirs {
		// 1: Ethernet (linux/if_arp.h, ARPHRD_ETHER).
		if kind, _ := m.read("net", d.Name(), "type"); kind != "1" {
			continue
		}
		text, _ := m.read("net", d.Name(), "address")
		mac, err := net.ParseMAC(text)
		if err != nil || len(mac) != 6 || mac.String() == "00:00:00:00:00:00" {
			continue
		}
		if _, err := os.Stat(m.path("net", d.Name(), "device")); err == nil {
			real = append(real, card{d.Name(), mac})
		} else if up, _ := m.read("net", d.Name(), "operstate"); up != "down" {
			made = append(made, card{d.Name(), mac})
		}
	}
	return real, made, nil
}

func (m Machine) read(elem ...string) (string, error) {
	b, err := os.ReadFile(m.path(elem...))
	return strings.TrimSpace(string(b)), err
}

// Check reports whether this machine could be armed to be woken that way. The error says
// what to do. Ways that need nothing here are always well.
func (m Machine) Check(way string) error {
	switch way {
	case WOL:
		_, err := m.wol(false)
		return err
	case RTC:
		_, err := m.clock()
		return err
	default:
		return nil
	}
}

// Arm has this machine be woken that way: its network cards by the magic packet, its
// clock after that time. Ways that need nothing here do nothing.
func (m Machine) Arm(way string, after time.Duration) error {
	switch way {
	case WOL:
		n, err := m.wol(true)
		if n > 0 {
			return nil // one card is enough
		}
		return err
	case RTC:
		return m.alarm(after)
	default:
		return nil
	}
}

// wol asks every card, or with on tells it to listen, and returns how many can.
func (m Machine) wol(on bool) (can int, err error) {
	cards, _, err := m.cards()
	if err != nil {
		return 0, err
	}
	if len(cards) == 0 {
		return 0, errors.New("there is no network card that could wake this machine; take wol out of [wake] method")
	}
	ask := m.Card
	if ask == nil {
		ask = ethtoolWOL
	}
	var errs []error
	for _, c := range cards {
		bits, _, err := ask(c.name, false)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s can't be asked about Wake-on-LAN: %w", c.name, err))
		case bits&wakeMagic == 0:
			errs = append(errs, fmt.Errorf("%s knows no magic packet", c.name))
		case !on:
			can++
		default:
			if _, _, err := ask(c.name, true); err != nil {
				errs = append(errs, fmt.Errorf("cannot have %s listen for the magic packet: %w", c.name, err))
				continue
			}
			can++
		}
	}
	if can > 0 {
		return can, nil
	}
	return 0, fmt.Errorf("%w; allow Wake-on-LAN in the firmware's setup, or take wol out of [wake] method", errors.Join(errs...))
}

// clock returns the folder of a clock that has an alarm.
func (m Machine) clock() (string, error) {
	dirs, err := os.ReadDir(m.path("rtc"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("cannot look at the clocks: %w", err)
	}
	for _, d := range dirs {
		// The file is there only where an alarm can wake (Documentation/ABI/testing/rtc-cdev).
		if _, err := os.Stat(m.path("rtc", d.Name(), "wakealarm")); err == nil {
			return d.Name(), nil
		}
	}
	return "", errors.New("this machine has no clock whose alarm could wake it; take rtc out of [wake] method")
}

// alarm sets the clock's alarm. One that comes sooner and that somebody else has set is
// left: it does the same.
func (m Machine) alarm(after time.Duration) error {
	name, err := m.clock()
	if err != nil {
		return err
	}
	now, err := m.number("rtc", name, "since_epoch") // by this clock, which may keep local time
	if err != nil {
		return fmt.Errorf("cannot read the clock %s: %w", name, err)
	}
	at := now + int64(after/time.Second)
	if set, err := m.number("rtc", name, "wakealarm"); err == nil && set > now && set <= at {
		return nil
	}
	// It takes a new one only when it has none.
	if err := m.write("0", "rtc", name, "wakealarm"); err != nil {
		return fmt.Errorf("cannot set the alarm of the clock %s: %w", name, err)
	}
	if err := m.write(strconv.FormatInt(at, 10), "rtc", name, "wakealarm"); err != nil {
		return fmt.Errorf("cannot set the alarm of the clock %s: %w", name, err)
	}
	return nil
}

// Disarm takes back the alarm of the clock, if it is due within that time: this machine
// stays up, and must not come up by itself when somebody switches it off later. Cards
// may go on listening.
func (m Machine) Disarm(within time.Duration) error {
	name, err := m.clock()
	if err != nil {
		return nil //nolint:nilerr // then there is none to take back
	}
	now, err := m.number("rtc", name, "since_epoch")
	if err != nil {
		return err
	}
	if set, err := m.number("rtc", name, "wakealarm"); err != nil || set <= now || set > now+int64(within/time.Second)+1 {
		return nil //nolint:nilerr // an empty file is no alarm
	}
	return m.write("0", "rtc", name, "wakealarm")
}

func (m Machine) number(elem ...string) (int64, error) {
	text, err := m.read(elem...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func (m Machine) write(text string, elem ...string) error {
	return os.WriteFile(m.path(elem...), []byte(text), 0o644) //nolint:gosec // sysfs: the file is there
}
