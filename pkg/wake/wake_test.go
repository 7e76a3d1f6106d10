package wake

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMagic(t *testing.T) {
	got, err := Magic(net.HardwareAddr{0x02, 0, 0, 0xab, 0xcd, 0xef})
	if err != nil {
		t.Fatal(err)
	}
	want := "ffffffffffff" + strings.Repeat("020000abcdef", 16)
	if diff := cmp.Diff(want, hex.EncodeToString(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Magic(make(net.HardwareAddr, 8)); err == nil {
		t.Error("an InfiniBand address was taken")
	}
}

func TestTheLastAddress(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.17/24": "192.0.2.255", "10.1.2.3/8": "10.255.255.255", "192.0.2.129/26": "192.0.2.191", "192.0.2.1/30": "192.0.2.3",
	} {
		if got := last(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("of %s it is %s, want %s", in, got, want)
		}
	}
}

// sysfs makes a tree of files; a name that ends in "/" is a folder.
func sysfs(t *testing.T, files map[string]string) Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "class", name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Sys: root}
}

func TestAddressesAreThoseOfRealCards(t *testing.T) {
	files := map[string]string{
		"net/lo/type": "772", "net/lo/address": "00:00:00:00:00:00",
		"net/eth1/type": "1", "net/eth1/address": "02:00:00:00:00:02", "net/eth1/device/": "",
		"net/eth0/type": "1", "net/eth0/address": "02:00:00:00:00:01", "net/eth0/device/": "",
		"net/br0/type": "1", "net/br0/address": "02:00:00:00:00:01", "net/br0/operstate": "up",
		"net/ib0/type": "32", "net/ib0/address": "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:29:c8:b1", "net/ib0/device/": "",
	}
	tests := []struct {
		name, but, want string
	}{
		{"real cards", "", "02:00:00:00:00:01 02:00:00:00:00:02"},
		{"a container", "eth", "02:00:00:00:00:01"},
	}
	for _, tt := range tests {
		some := map[string]string{}
		for name, text := range files {
			if tt.but == "" || !strings.HasPrefix(name, "net/"+tt.but) {
				some[name] = text
			}
		}
		macs, err := sysfs(t, some).Addresses()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range macs {
			got = append(got, m.String())
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestArmWakeOnLAN(t *testing.T) {
	card := map[string]string{"net/eth0/type": "1", "net/eth0/address": "02:00:00:00:00:01", "net/eth0/device/": ""}
	tests := []struct {
		name  string
		files map[string]string
		can   uint32
		err   error
		armed bool
		want  string
	}{
		{"it can", card, wakeMagic | 1, nil, true, ""},
		{"it knows other ways only", card, 1, nil, false, "eth0 knows no magic packet"},
		{"it can't be asked", card, 0, errors.New("operation not supported"), false, "eth0 can't be asked about Wake-on-LAN: operation not supported"},
		{"there is none", map[string]string{"net/lo/type": "772"}, 0, nil, false, "there is no network card"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sysfs(t, tt.files)
			armed := false
			m.Card = func(_ string, on bool) (uint32, uint32, error) {
				armed = armed || on
				return tt.can, 0, tt.err
			}
			for what, err := range map[string]error{"checked": m.Check(WOL), "armed": m.Arm(WOL, 0)} {
				if got := errText(err); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
					t.Errorf("%s: %q, want %q", what, got, tt.want)
				}
			}
			if armed != tt.armed {
				t.Errorf("armed: %t, want %t", armed, tt.armed)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAlarmOfTheClock(t *testing.T) {
	const now = "1700000000"
	tests := []struct {
		name, set, want, disarmed string
	}{
		{"none is set", "", "1700000900", "0"},
		{"a later one", "1700100000", "1700000900", "0"},
		{"a sooner one does the same", "1700000300", "1700000300", "0"},
		{"one that is over", "1600000000", "1700000900", "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sysfs(t, map[string]string{"rtc/rtc0/name": "no alarm", "rtc/rtc1/since_epoch": now, "rtc/rtc1/wakealarm": tt.set})
			if err := m.Check(RTC); err != nil {
				t.Fatal(err)
			}
			if err := m.Arm(RTC, 15*time.Minute); err != nil {
				t.Fatal(err)
			}
			if got, _ := m.read("rtc", "rtc1", "wakealarm"); got != tt.want {
				t.Errorf("the alarm is at %s, want %s", got, tt.want)
			}
			if err := m.Disarm(15 * time.Minute); err != nil {
				t.Fatal(err)
			}
			if got, _ := m.read("rtc", "rtc1", "wakealarm"); got != tt.disarmed {
				t.Errorf("taken back it is at %q", got)
			}
		})
	}
	m := sysfs(t, map[string]string{"rtc/rtc0/name": "no alarm", "rtc/rtc1/since_epoch": now, "rtc/rtc1/wakealarm": "1700100000"})
	if err := m.Disarm(15 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.read("rtc", "rtc1", "wakealarm"); got != "1700100000" {
		t.Errorf("somebody else's alarm was taken back: it is at %q", got)
	}
	if err := sysfs(t, map[string]string{"rtc/rtc0/name": "no alarm"}).Check(RTC); err == nil {
		t.Error("a clock without an alarm is well")
	}
}

func TestWaysThatNeedNothingHere(t *testing.T) {
	m := sysfs(t, nil)
	for _, way := range []string{"cycle", "hook"} {
		if err := errors.Join(m.Check(way), m.Arm(way, time.Minute)); err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
}
