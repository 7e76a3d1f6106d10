package memrack_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/memrack"
)

const unknown = upsv1.Status_STATUS_UNSPECIFIED

// withBattery runs a master whose UPS has a battery.
func withBattery(t *testing.T, play func(m *wiredMaster)) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := line.Lookup("nut-7")
		m := &wiredMaster{T: t, cable: c, wire: memrack.NewWire(c, memrack.Driver{}, 1), net: memrack.NewNetwork(), dir: t.TempDir(), born: time.Now().Add(-time.Hour)}
		m.begin(false)
		play(m)
		m.stop()
	})
}

// reboot is another boot of the machine, which was off for a while.
func (m *wiredMaster) reboot(off time.Duration) {
	m.stop()
	m.wire.HostOff()
	time.Sleep(off)
	m.born, m.boot = time.Now(), m.boot+"'"
	time.Sleep(20 * time.Second)
	m.begin(false)
}

// client returns a connection to the master's socket.
func (m *wiredMaster) client() *grpc.ClientConn {
	m.Helper()
	conn, err := grpc.NewClient("passthrough:///"+m.dir+"/master.sock", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) { return m.net.Dialer("root")(ctx, "unix", a) }))
	if err != nil {
		m.Fatal(err)
	}
	return conn
}

// ups lets d pass and returns what the master says of its UPS.
func (m *wiredMaster) ups(d time.Duration) *upsv1.UpsState {
	m.Helper()
	time.Sleep(d)
	synctest.Wait()
	conn := m.client()
	defer conn.Close()
	st, err := upsv1.NewPowerServiceClient(conn).GetStatus(m.Context(), &upsv1.GetStatusRequest{})
	if err != nil {
		m.Fatal(err)
	}
	return st.GetMasters()[0].GetUps()[0]
}

func near(d *durationpb.Duration, want, by time.Duration) bool {
	return (d.AsDuration() - want).Abs() <= by
}

// TestANewBatteryOwesNothing: at the very first start grace is what its owner wrote.
func TestANewBatteryOwesNothing(t *testing.T) {
	withBattery(t, func(m *wiredMaster) {
		if b := m.ups(5 * time.Second).GetBattery(); b.GetDebt().AsDuration() != 0 || b.GetAssumed().AsDuration() != 0 {
			m.Errorf("%v", b)
		}
	})
}

// TestWhatABatteryOwesOutlivesABoot: as it was when the machine went; the time off
// neither costs nor pays.
func TestWhatABatteryOwesOutlivesABoot(t *testing.T) {
	withBattery(t, func(m *wiredMaster) {
		m.ups(5 * time.Hour)
		m.wire.Set(true, false)
		m.ups(3 * time.Minute)
		m.wire.Set(false, false)
		owed := m.ups(5 * time.Second).GetBattery().GetDebt().AsDuration()
		m.reboot(10 * time.Hour)
		if b := m.ups(5 * time.Second).GetBattery(); !near(b.GetDebt(), owed, 2*time.Second) || b.GetAssumed().AsDuration() != 0 {
			m.Errorf("owed %s, and after the boot %v", owed, b)
		}
	})
}

// TestAnOutageKeepsItsAgeOverABoot: on a machine that is started anew while it lasts.
func TestAnOutageKeepsItsAgeOverABoot(t *testing.T) {
	withBattery(t, func(m *wiredMaster) {
		m.ups(5 * time.Hour)
		m.wire.Set(true, false)
		before := m.ups(2 * time.Minute)
		m.reboot(time.Minute)
		u := m.ups(5 * time.Second)
		if u.GetStatus() != fail || u.GetOutage() != before.GetOutage() || !near(u.GetOutageAge(), 2*time.Minute+25*time.Second, 2*time.Second) ||
			!near(u.GetBattery().GetDebt(), 2*time.Minute+25*time.Second, 6*time.Second) {
			m.Errorf("before %v\nafter %v", before, u)
		}
		m.wire.Set(false, false)
		if u := m.ups(5 * time.Second); u.GetStatus() != ok || u.GetOutage() != "" {
			m.Errorf("over: %v", u)
		}
		m.wire.Set(true, false)
		m.ups(time.Minute)
		m.stop()
		m.wire.Set(false, false)
		m.begin(false)
		m.reboot(time.Minute)
		if u := m.ups(5 * time.Second); u.GetStatus() != ok || u.GetOutage() != "" {
			m.Errorf("a machine that boots into OK knows an outage: %v", u)
		}
	})
}

// TestTheRuntimeIsLearnedAndKept: from the first FAIL to low, over a boot.
func TestTheRuntimeIsLearnedAndKept(t *testing.T) {
	withBattery(t, func(m *wiredMaster) {
		m.ups(5 * time.Hour)
		m.wire.Set(true, false)
		m.ups(4 * time.Minute)
		m.wire.Set(true, true)
		if u := m.ups(15 * time.Second); u.GetStatus() != batlow || u.GetRuntime() != nil {
			m.Errorf("what the outage shows counts in it: %v", u)
		}
		m.wire.Set(false, false)
		m.ups(5 * time.Second)
		m.reboot(time.Minute)
		if u := m.ups(5 * time.Second); !near(u.GetRuntime(), 6*time.Minute, time.Second) || u.GetBattery().GetLows() != 1 || u.GetCharge() == 0 || u.GetCharge() > 40 {
			m.Errorf("%v", u)
		}
	})
}

// TestADisabledUPSIsBlindForAWhile: whatever its lines do, over a restart, and then it
// settles anew.
func TestADisabledUPSIsBlindForAWhile(t *testing.T) {
	withBattery(t, func(m *wiredMaster) {
		m.is(5*time.Hour, ok) // it owes nothing, so nothing else has it looked at
		conn := m.client()
		defer conn.Close()
		ctl := func() upsv1.ControlServiceClient { return upsv1.NewControlServiceClient(conn) }
		ask := func(d time.Duration) error {
			_, err := ctl().DisableUps(m.Context(), &upsv1.DisableUpsRequest{Ups: "main", For: durationpb.New(d)})
			return err
		}
		if err := ask(10 * time.Minute); err != nil {
			m.Fatal(err)
		}
		m.is(0, unknown, health.UPSDisabled)
		m.wire.Pull(0)
		u := m.ups(time.Minute)
		if u.GetLast() != ok || u.GetOutage() != "" || !strings.Contains(u.GetReason(), "disabled by") || !near(u.GetDisabled().GetRemaining(), 9*time.Minute, time.Second) {
			m.Errorf("%v", u)
		}
		m.stop()
		m.begin(false)
		m.is(time.Minute, unknown, health.UPSDisabled)
		m.wire.Plug(0)
		m.wire.Set(true, false)
		m.is(7*time.Minute, unknown, health.UPSDisabled)
		m.is(61*time.Second, fail)
		if err := ask(time.Minute); err == nil || !strings.Contains(err.Error(), "on battery") {
			m.Errorf("on battery: %v", err)
		}
		m.wire.Set(false, false)
		m.is(5*time.Second, ok)
		if err := ask(time.Hour); err != nil {
			m.Error(err)
		}
		m.is(0, unknown, health.UPSDisabled)
		if _, err := ctl().EnableUps(m.Context(), &upsv1.EnableUpsRequest{Ups: "main"}); err != nil {
			m.Error(err)
		}
		m.is(time.Second, unknown, health.Blind)
		m.is(1500*time.Millisecond, ok)
		for _, d := range []time.Duration{0, -1, 25 * time.Hour} {
			if ask(d) == nil {
				m.Errorf("disabled for %s", d)
			}
		}
		if _, err := ctl().DisableUps(m.Context(), &upsv1.DisableUpsRequest{Ups: "nobody", For: durationpb.New(time.Hour)}); err == nil {
			m.Error("a UPS that there is not was disabled")
		}
	})
}
