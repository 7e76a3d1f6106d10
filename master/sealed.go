package master

import (
	"context"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// Wired returns the UPSes of the configuration as a seal is held against them.
func Wired(c Config) []cut.Wired {
	all := []cut.Wired{}
	for _, u := range c.UPS {
		all = append(all, cut.Wired{Name: u.Name, Port: u.Port, Cable: u.Cable})
	}
	return all
}

// runRefused tells that the last power-off cut nothing, if it left word. The disk is
// not waited for.
func (m *Master) runRefused(fsys journal.FS) daemon.Task {
	return daemon.Func("last cut", func(ctx context.Context) error {
		found := make(chan error, 1)
		go func() { found <- cut.Refused(fsys, m.cfg.Data) }()
		select {
		case err := <-found:
			if err != nil {
				m.told(health.Seal)(err)
			}
		case <-ctx.Done():
			return nil
		}
		<-ctx.Done()
		return nil
	})
}
