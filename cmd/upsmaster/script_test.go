package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lastwatt/lastwatt/test/manual"
	"github.com/lastwatt/lastwatt/test/session"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/script and the man pages again")

// TestMain lets this test program be upsmaster too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"upsmaster": main})
}

// TestScripts plays sessions at a shell; test/session says how they read. No line of
// them may start a daemon.
func TestScripts(t *testing.T) {
	session.Run(t, session.Options{})
}

func TestManPages(t *testing.T) {
	manual.Check(t, command(new(bool)), manual.Options{
		Section: 1,
		Status: `0  it was ended, or it is done
1  it cannot run, or it could not be done
2  the command line is wrong`,
		Files: `/etc/lastwatt/master.toml  the configuration
/var/lib/lastwatt/master  keys, history, and the last good copy of the configuration
/run/lastwatt/master  its socket, and the state of this boot`,
		SeeAlso: []string{"upsctl(1)", "upsagent(1)", "lastwatt-master.toml(5)"},
	}, *rewrite)
}
