package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

const secret = "correct horse battery"

// withPass puts the passphrase where scripts put it.
func withPass(pass string) func(*cli) {
	return func(c *cli) {
		c.env = func(key string) string {
			if key == passphraseEnv {
				return pass
			}
			return ""
		}
	}
}

func TestExportNeverOverwrites(t *testing.T) {
	f := &fake{acts: true}
	path := f.serve(t)
	file := filepath.Join(t.TempDir(), "ca")
	ask := func() result {
		return run(t, func(c *cli) { withPass(secret)(c); c.sockets = []string{path} }, "ca", "export", file)
	}
	if got := ask(); got.Code != 0 {
		t.Fatal(got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", info, err)
	}
	if err := os.WriteFile(file, []byte("another rack's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got.Code != 1 || !strings.Contains(got.Err, "file exists") {
		t.Errorf("over a file: %+v", got)
	}
	if b, _ := os.ReadFile(file); string(b) != "another rack's" {
		t.Errorf("the file that was there is now %q", b)
	}
}

func TestPassphraseOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		fresh    bool
		want     string
		err      string
	}{
		{"twice", secret + "\r" + secret + "\r", true, secret, ""},
		{"once for an old one", secret + "\r", false, secret, ""},
		{"corrected", "correct horsf\x7fe battery\r" + secret + "\r", true, secret, ""},
		{"not the same", secret + "\rother\r", true, "", "not the same"},
		{"Ctrl-C", "corr\x03", true, "", "interrupted"},
		{"hung up", "", true, "", "no passphrase"},
		{"a stream", strings.Repeat("x", 2000), true, "", "does not end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, errs := testCLI(tt.in)
			c.inTTY = true
			hidden := false
			c.raw = func() (func(), error) { hidden = true; return func() { hidden = false }, nil }
			got, err := c.passphrase(tt.fresh)
			if tt.err == "" && (err != nil || got != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%q, %v; want %q, %q", got, err, tt.want, tt.err)
			}
			if hidden {
				t.Error("the terminal stays raw")
			}
			if strings.Contains(errs.String(), "horse") {
				t.Errorf("it was shown: %q", errs.String())
			}
		})
	}
	c, _, _ := testCLI(secret + "\n")
	c.inTTY, c.raw = true, func() (func(), error) { return nil, errors.New("no") }
	if _, err := c.passphrase(false); err == nil {
		t.Error("a passphrase was read although the terminal shows it")
	}
}

func TestStatusAll(t *testing.T) {
	m := wellRack()
	m.Nodes = append(m.Nodes, &upsv1.NodeStatus{Name: "db1", Link: upsv1.Link_LINK_UP, Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_IDLE, Status: upsv1.Status_STATUS_OK}})
	own := wellRack().Nodes[0]
	own.Link, own.Report.Phase = upsv1.Link_LINK_UP, upsv1.Phase_PHASE_GRACE
	f := &fake{status: []*upsv1.GetStatusResponse{{
		Masters: []*upsv1.MasterStatus{m}, Asked: []*upsv1.NodeStatus{own},
		Seen: []*upsv1.SeenNode{{Name: "web1", Joined: true}, {Name: "new\x1b1"}},
	}}}
	path := f.serve(t)
	got := run(t, func(c *cli) { c.sockets = []string{path} }, "status", "--all")
	want := result{3, `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES    CABLE
main  OK     12s  DTR DCD  liebert-powersure

NODE   ROLE     PHASE    STATE    COUNTDOWN  LINK  PROBLEM
web1   compute  GRACE    OK       -          up
db1             IDLE     OK       -          up    not announced, no answer
new?1           UNKNOWN  UNKNOWN  -          seen  not joined
`, ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !f.all {
		t.Error("it did not ask for all")
	}
	run(t, func(c *cli) { c.sockets = []string{path} }, "status")
	if f.all {
		t.Error("without --all it asks everybody all the same")
	}
}
