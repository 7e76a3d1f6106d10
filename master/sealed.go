package master

import "github.com/lastwatt/lastwatt/master/cut"

// Wired returns the UPSes of the configuration as a seal is held against them.
func Wired(c Config) []cut.Wired {
	all := []cut.Wired{}
	for _, u := range c.UPS {
		all = append(all, cut.Wired{Name: u.Name, Port: u.Port, Cable: u.Cable})
	}
	return all
}
