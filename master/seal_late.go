package master

import (
	"context"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// Wired returns the UPSes of the configuration as a seal is held against them.
func Wired(c Config) []cut.Wired {
	all := []cut.Wired{}
	for _, u := range c.UPS {
		all = append(all, cut.Wired{Name: u.Name, Port: u.Port, Cable: u.Cable})
	}
	return all
}

// lateEvery is how often it is looked whether the late unit would run.
const lateEvery = time.Minute

// watchCut returns the task that tells what keeps the load from being cut: that the
// last power-off cut nothing, if it left word, and that nothing would the next time.
// The disk is not waited for.
func (m *Master) watchCut(fsys journal.FS, late func() error) daemon.Task {
	if late == nil || !m.sealsOnPowerOff() {
		late = func() error { return nil }
	}
	return daemon.Func("cut", func(ctx context.Context) error {
		refused, missing := make(chan error, 1), make(chan error, 1)
		go func() { refused <- cut.Refused(fsys, m.cfg.Data) }()
		ask := func() { missing <- late() }
		go ask()
		again := time.NewTimer(lateEvery)
		defer again.Stop()
		last := ""
		for {
			select {
			case err := <-refused:
				if err != nil {
					m.told(health.Seal)(err)
				}
			case err := <-missing:
				text := ""
				if err != nil {
					text = err.Error()
				}
				if text != last {
					m.told(health.LateUnit)(err)
					last = text
				}
				again.Reset(lateEvery)
			case <-again.C:
				go ask()
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// sealsOnPowerOff reports whether this host goes down by the system's own means while
// it has a port to cut by: what the owner's command does is his.
func (m *Master) sealsOnPowerOff() bool {
	ports := slices.ContainsFunc(m.cfg.UPS, func(u UPS) bool { return wired(u.Port) })
	return ports && m.cfg.Node != nil && slices.ContainsFunc(m.cfg.Node.Settings.Methods, func(method string) bool {
		return method != shutdown.MethodCommand && method != shutdown.MethodNone
	})
}
