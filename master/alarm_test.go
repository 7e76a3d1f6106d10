package master

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/config"
)

// withAlarms is the test master with programs as its alarms: one for the rack, one for
// its own machine, one that is not there.
func withAlarms(t *testing.T) (m *Master, said string) {
	t.Helper()
	m = testMaster(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "alarm")
	said = filepath.Join(dir, "said")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$LASTWATT_EVENT $LASTWATT_ON\" >> "+said+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	parse := func(to string) []alarm.Target {
		doc, err := config.Parse("f", []byte("[[alarm]]\nto = '"+to+"'\n"))
		if err != nil {
			t.Fatal(err)
		}
		all := alarm.Parse(doc.Root())
		if err := doc.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	m.cfg.Alarms = parse("exec://" + path)
	m.cfg.Node = &Host{Name: "host1", Alarms: parse("exec:///nowhere/alarm")}
	m.alarms = m.newAlarms(nil)
	return m, said
}

func TestAlarmsAreTested(t *testing.T) {
	m, said := withAlarms(t)
	resp, err := controlService{m: m}.TestAlarms(t.Context(), &upsv1.TestAlarmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	rs := resp.GetResults()
	if len(rs) != 2 || !strings.HasPrefix(rs[0].GetTo(), "exec:///") || rs[0].GetError() != "" ||
		rs[1].GetTo() != "exec:///nowhere/alarm" || !strings.HasPrefix(rs[1].GetError(), "it is not there") {
		t.Errorf("results %v", rs)
	}
	if b, err := os.ReadFile(said); err != nil || string(b) != "test rack1\n" {
		t.Errorf("the program was told %q, %v", b, err)
	}
}

func TestOneTestOfAlarmsAtATime(t *testing.T) {
	m, _ := withAlarms(t)
	begun, free := make(chan struct{}), make(chan struct{})
	m.alarms = alarm.New(alarm.Options{
		Targets: m.cfg.Alarms, Path: filepath.Join(t.TempDir(), "q"), Log: slog.New(slog.DiscardHandler),
		Run: func(context.Context, []string, []string, string) error {
			close(begun)
			<-free
			return errors.New("no")
		},
	})
	first := make(chan error)
	go func() {
		resp, err := controlService{m: m}.TestAlarms(context.Background(), &upsv1.TestAlarmsRequest{})
		if err == nil && resp.GetResults()[0].GetError() != "no" {
			err = errors.New(resp.String())
		}
		first <- err
	}()
	<-begun
	if _, err := (controlService{m: m}).TestAlarms(t.Context(), &upsv1.TestAlarmsRequest{}); status.Code(err) != codes.Aborted {
		t.Errorf("a second test: %v", err)
	}
	close(free)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
