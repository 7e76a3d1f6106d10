package manual

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the pages of the configuration files again")

// TestConfigPages: the references in deploy, which are tested to be whole, are the
// pages of section 5 too.
func TestConfigPages(t *testing.T) {
	pages := map[string]string{}
	for _, f := range []struct{ name, daemon string }{{"master.toml", "upsmaster"}, {"agent.toml", "upsagent"}} {
		text, err := os.ReadFile("../../deploy/" + f.name)
		if err != nil {
			t.Fatal(err)
		}
		page := configPage("lastwatt-"+f.name, f.daemon, string(text))
		if i := strings.Index(page, "\n?"); i >= 0 {
			t.Errorf("%s: a line that is no table, key or text: %.80q", f.name, page[i+2:])
		}
		pages["lastwatt-"+f.name+".5"] = page
	}
	compare(t, pages, "*.5", *rewrite)
}

func TestRoff(t *testing.T) {
	got := configPage("lastwatt-x.toml", "upsx", `# A machine's file.
#
# Another \\ paragraph.

# name = "web1"                  # of 'this'
role   = ""   # any word
feeds = []

# Of the power…
[power]
need = 1                         # .of them
# cable = { on_battery = "CTS" }

# [[hook]]
# on = ["commit"]                # fail
`)
	want := strings.Split(got, ".SH DESCRIPTION\n")[0] + `.SH DESCRIPTION
.PP
A machine\(aqs file.
.PP
Another \e\e paragraph.
.TP
\fBname\fR = "web1"
of \(aqthis\(aq
.TP
\fBrole\fR = ""
any word
.TP
\fBfeeds\fR = []
\&
.SS [power]
.PP
Of the power\[u2026]
.TP
\fBneed\fR = 1
\&.of them
.TP
\fBcable\fR = { on_battery = "CTS" }
\&
.SS [[hook]]
.TP
\fBon\fR = ["commit"]
fail
.SH FILES
.TP
\fI/etc/lastwatt/x.toml\fR
where upsx looks, unless \-\-config names another
.SH SEE ALSO
.BR upsx (1),
.BR upsctl\-check (1)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
