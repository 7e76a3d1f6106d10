package master

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestWhenABatterysAccountIsSaved: at once what is new, the rest as seldom as may be.
func TestWhenABatterysAccountIsSaved(t *testing.T) {
	file := func(change func(*batteryFile, *power.BatteryRecord)) batteryFile {
		f, r := batteryFile{Boot: "b"}, power.BatteryRecord{Debt: time.Minute}
		change(&f, &r)
		f.UPS = map[string]power.BatteryRecord{"main": r}
		return f
	}
	well := func(*batteryFile, *power.BatteryRecord) {}
	on := func(_ *batteryFile, r *power.BatteryRecord) { r.Outage = "o" }
	spent := func(_ *batteryFile, r *power.BatteryRecord) { r.Outage, r.OutageAge = "o", time.Second }
	for _, tc := range []struct {
		name    string
		was, is func(*batteryFile, *power.BatteryRecord)
		since   time.Duration
		want    bool
	}{
		{"nothing new", well, well, time.Hour, false},
		{"another boot", well, func(f *batteryFile, _ *power.BatteryRecord) { f.Boot = "c" }, 0, true},
		{"an outage begins", well, on, 0, true},
		{"it goes on", on, spent, 9 * time.Second, false},
		{"for some time", on, spent, 10 * time.Second, true},
		{"and ends", on, well, 0, true},
		{"the battery is low", on, func(_ *batteryFile, r *power.BatteryRecord) { r.Outage, r.LowAge = "o", time.Second }, 0, true},
		{"something was learned", on, func(_ *batteryFile, r *power.BatteryRecord) { r.Outage, r.ToLow = "o", power.Spans{{Took: 1}} }, 0, true},
		{"this machine goes", on, func(f *batteryFile, r *power.BatteryRecord) { f.Going, r.Outage = true, "o" }, 0, true},
		{"an earlier run ended in order", func(f *batteryFile, _ *power.BatteryRecord) { f.Ended = true }, well, 0, true},
		{"it recharges", well, func(_ *batteryFile, r *power.BatteryRecord) { r.Debt = time.Second }, 9 * time.Minute, false},
		{"for long", well, func(_ *batteryFile, r *power.BatteryRecord) { r.Debt = time.Second }, 10 * time.Minute, true},
	} {
		if got := file(tc.is).differs(file(tc.was), tc.since); got != tc.want {
			t.Errorf("%s: saved %t", tc.name, got)
		}
	}
}

// TestWhatABootKnowsOfAnOutage: who was put down by it comes up in another one.
func TestWhatABootKnowsOfAnOutage(t *testing.T) {
	for _, tc := range []struct {
		name           string
		going, ended   bool
		goesOn         bool
		reserveLearned bool
	}{
		{"it died", false, false, true, true},
		{"the master was stopped, and the machine started anew", false, true, true, false},
		{"it was put down", true, true, false, false},
	} {
		b := batteries{boot: "new", old: batteryFile{Boot: "old", Going: tc.going, Ended: tc.ended, UPS: map[string]power.BatteryRecord{
			"main": {Debt: 3 * time.Minute, Outage: "o", OutageAge: 3 * time.Minute, LowAge: time.Minute},
		}}}
		q := power.NewQualifier(power.QualifierConfig{Boot: "new", Ledger: power.LedgerConfig{LowReserve: 2 * time.Minute}})
		b.recall("main", q, false)
		q.Step(power.Uptime(time.Minute), power.Signals{OnBattery: true})
		st := q.Tick(power.Uptime(time.Minute))
		if (st.Outage == "o") != tc.goesOn || q.Battery().ReserveLearned != tc.reserveLearned {
			t.Errorf("%s: %+v, %+v", tc.name, st, q.Battery())
		}
		if !tc.goesOn && st.Debt != 3*time.Minute {
			t.Errorf("%s: the new one begins with a debt of %s", tc.name, st.Debt)
		}
	}
}

// TestLaw10ABatteryFileThatHangsIsNotLost: the master begins without it, writes nothing
// in its place, and takes it when it comes.
func TestLaw10ABatteryFileThatHangsIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan loaded[batteryFile], 1)
		m := provingMaster(t, t.TempDir(), &bytes.Buffer{})
		b := m.batteries
		r := b.run[0]
		r.src = &simSource{out: make(chan sample, 1)}
		b.late, b.old, b.last = late, batteryFile{}, batteryFile{}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = r.Run(ctx) }()
		done := make(chan struct{})
		go func() { defer close(done); b.follow(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.last.UPS) > 0 {
			t.Errorf("it would be all that is left: %+v", b.last)
		}
		late <- loaded[batteryFile]{v: batteryFile{Boot: "old", UPS: map[string]power.BatteryRecord{"main": {Debt: 4 * time.Minute, ToLow: power.Spans{{Took: 5 * time.Minute}}}}}}
		time.Sleep(time.Minute)
		cancel()
		<-done
		synctest.Wait()
		if r := b.last.UPS["main"]; len(r.ToLow) != 1 || r.Debt < 3*time.Minute+50*time.Second || r.Assumed != 0 {
			t.Errorf("%+v", b.last)
		}
	})
}

func TestACorruptBatteryFileIsSaid(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/battery.json", []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := provingMaster(t, dir, &log)
	if b := m.runners[0].q.Battery(); b.Assumed == 0 || !strings.Contains(log.String(), "none is believed full or empty") {
		t.Errorf("%+v\n%s", b, log.String())
	}
}

// TestNoUPSIsDisabledWhileTheHostGoes: the load may be cut after it.
func TestNoUPSIsDisabledWhileTheHostGoes(t *testing.T) {
	m := newTestMaster(t, "", nil)
	m.hub.hostReport(m.host.name, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_COMMITTED})
	if _, err := (controlService{m: m}).DisableUps(t.Context(), &upsv1.DisableUpsRequest{Ups: m.cfg.UPS[0].Name, For: dur(time.Minute)}); err == nil || !strings.Contains(err.Error(), "on its way down") {
		t.Errorf("%v", err)
	}
}
