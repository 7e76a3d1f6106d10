package main

import (
	"testing"

	"github.com/lastwatt/lastwatt/test/manual"
)

// TestManPages: one page for upsctl and one for each verb, as with git.
func TestManPages(t *testing.T) {
	manual.Check(t, (&cli{}).root(), manual.Options{
		Section: 1,
		Status: `0  all is well, or it was done
1  nobody could be asked, or it could not be done
2  the command line is wrong; nothing was done
3  somebody should look: a UPS is not OK or is blind, a node is not idle or out of touch, or there is a problem`,
		Environment: `NO_COLOR  not empty: no colours
LASTWATT_PASSPHRASE  the passphrase for ca export and ca import`,
		Files: `~/.config/lastwatt  the masters that this user has joined
/run/lastwatt/master/master.sock  where the master of this machine answers
/run/lastwatt/agent/agent.sock  where its agent does`,
		SeeAlso: []string{"upsmaster(1)", "upsagent(1)"},
	}, *rewrite)
}
