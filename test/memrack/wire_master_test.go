package memrack_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// wiredMaster is a master alone with its UPS on a wire.
type wiredMaster struct {
	*testing.T
	cable line.Cable
	wire  *memrack.Wire
	net   *memrack.Network
	dir   string
	born  time.Time
	boot  string // empty: the first
	stop  func()
	last  *master.Master
}

// begin runs a master, after the one before in the same process if reload says so.
func (m *wiredMaster) begin(reload bool) {
	m.Helper()
	cfg, err := master.ParseConfig("master.toml", fmt.Appendf(nil,
		"name = \"rack1\"\nlisten = \"master:8493\"\nsocket = \"%[1]s/master.sock\"\ndata = \"%[1]s/data\"\nrun = \"%[1]s/run\"\n[discovery]\nmdns = false\n[[ups]]\nname = \"main\"\nport = \"/dev/wire\"\ncable = %[2]q\n",
		m.dir, m.cable.Name))
	if err != nil {
		m.Fatal(err)
	}
	o := master.Options{
		Config: cfg, Boot: cmp.Or(m.boot, "boot"), Listen: m.net.Listen, Dial: m.net.Dialer("master"),
		OpenPort: memrack.OpenWires(map[string]*memrack.Wire{"/dev/wire": m.wire}),
		Now:      func() power.Uptime { return power.Uptime(time.Since(m.born)) }, Log: slog.New(slog.DiscardHandler),
	}
	if reload {
		o.Before = m.last
	}
	if m.last, err = master.New(o); err != nil {
		m.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range m.last.Tasks() {
		g.Go(func() error { return t.Run(ctx) })
	}
	m.stop = func() {
		cancel()
		if err := g.Wait(); err != nil {
			m.Error(err)
		}
		if m.wire.Used() {
			m.Error("the port was left open")
		}
	}
}

// is lets d pass and fails the test unless the master then says want of its UPS, and
// has the problems or not.
func (m *wiredMaster) is(d time.Duration, want upsv1.Status, problems ...string) {
	m.Helper()
	time.Sleep(d) // the bubble's time
	synctest.Wait()
	conn, err := grpc.NewClient("passthrough:///"+m.dir+"/master.sock", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) { return m.net.Dialer("root")(ctx, "unix", a) }))
	if err != nil {
		m.Fatal(err)
	}
	defer conn.Close()
	st, err := upsv1.NewPowerServiceClient(conn).GetStatus(m.Context(), &upsv1.GetStatusRequest{})
	if err != nil {
		m.Fatal(err)
	}
	rack := st.GetMasters()[0]
	if got := rack.GetUps()[0].GetStatus(); got != want {
		m.Errorf("the UPS is %s, want %s: %v", got, want, rack.GetUps()[0])
	}
	for _, name := range []string{health.Blind, health.Cable, health.UPSDisabled} {
		has := slices.ContainsFunc(rack.GetProblems(), func(p *upsv1.Problem) bool { return p.GetName() == name })
		if has != slices.Contains(problems, name) {
			m.Errorf("the problem %s: %v, want %v", name, has, !has)
		}
	}
}

// TestLaw04AMasterOnAWire is the real master from the lines of each cable up: nothing
// that happens to the wire, and no restart or reload, moves an output.
func TestLaw04AMasterOnAWire(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		synctest.Test(t, func(t *testing.T) {
			m := &wiredMaster{T: t, cable: c, wire: memrack.NewWire(c, memrack.Driver{}, 1), net: memrack.NewNetwork(), dir: t.TempDir(), born: time.Now().Add(-time.Hour)}
			m.begin(false)
			m.is(time.Minute, ok)
			m.wire.Set(true, false)
			m.wire.Bounce(50*time.Millisecond, 7)
			m.is(time.Second, fail)
			m.stop()
			m.begin(false) // what was on battery still is
			m.is(time.Second, fail)
			m.wire.Set(true, true)
			low := batlow
			if !c.HasLow() {
				low = fail
			}
			m.is(15*time.Second, low)
			m.wire.Set(false, false)
			m.is(settle, ok)

			m.wire.Unplug()
			m.is(time.Minute, upsv1.Status_STATUS_UNSPECIFIED, health.Blind)
			m.wire.Replug()
			m.is(5*time.Second+settle, ok)
			m.stop()
			m.begin(true)
			m.is(settle, ok)

			what := memrack.WhenPulled(c)
			m.wire.Pull(30 * time.Millisecond)
			switch what.Ends {
			case power.Unknown:
				m.is(5*time.Second, upsv1.Status_STATUS_UNSPECIFIED, health.Blind)
			case power.BatLow:
				m.is(5*time.Second, fail, health.Cable)
			case power.Fail:
				m.is(5*time.Second, fail)
			case power.OK:
				m.is(5*time.Second, ok)
			}
			m.stop()
			if s := m.wire.Strays(); len(s) > 0 {
				t.Errorf("the outputs left their idle levels %s: %v", c.Idle(), s)
			}
			if all := m.wire.Outputs(); len(all) > 5 {
				t.Errorf("the outputs moved more than two opens make them: %v", all)
			}
		})
	})
}
