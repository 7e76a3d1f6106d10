package cut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestWhatIsMadeReadOnly: disks that can be written, the innermost first, and nothing
// of the kernel's.
func TestWhatIsMadeReadOnly(t *testing.T) {
	const info = `22 29 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
23 29 0:22 / /proc rw,nosuid - proc proc rw
24 29 0:5 / /dev rw,nosuid - devtmpfs udev rw,size=1k
26 29 0:24 / /run rw,nosuid - tmpfs tmpfs rw
29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 29 254:2 / /usr ro,relatime shared:2 - ext4 /dev/vda2 ro
31 29 254:3 / /srv/my\040data rw,relatime shared:3 master:4 - xfs /dev/mapper/data rw,attr2
32 31 0:99 / /srv/my\040data/pool rw - zfs tank/pool rw,xattr
33 23 254:1 /x /proc/kcore rw - ext4 /dev/vda1 rw
34 29 0:40 / /mnt rw - nfs4 server:/x rw
broken line
35 29 254:4 / /boot rw - vfat
`
	path := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(path, []byte(info), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/srv/my data/pool", "/srv/my data", "/"}, writable(path)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/"}, writable(path+".none")); diff != "" {
		t.Errorf("without /proc (-want +got)\n%s", diff)
	}
}

// TestQuiet: what can't be made read-only because somebody has a file open there is forced,
// and what stays writable all the same is told.
func TestQuiet(t *testing.T) {
	const root, srv = "29 1 254:1 / / rw - ext4 /dev/vda1 rw\n", "31 29 254:3 / /srv rw - xfs /dev/vdb rw\n"
	for _, c := range []struct {
		name      string
		contained bool
		busy      string // what is mounted there refuses
		stubborn  bool   // it can't be forced either
		want      string // what was done
		told      string
		took      time.Duration
	}{
		{name: "nobody writes", want: "/srv /"},
		{name: "the journal is on /", busy: "/", want: "/srv / force"},
		{name: "and there is no sysrq", busy: "/", stubborn: true, want: "/srv / force", told: "cannot make / read-only: device or resource busy", took: forceLimit},
		{name: "a container", contained: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path, began := filepath.Join(t.TempDir(), "mountinfo"), time.Now()
				mounted := map[string]string{"/": root, "/srv": srv}
				save := func() {
					if err := os.WriteFile(path, []byte(mounted["/"]+mounted["/srv"]), 0o600); err != nil {
						t.Error(err)
					}
				}
				save()
				var did []string
				err := system{path, func() {}, func() bool { return c.contained }, func(at string) error {
					did = append(did, at)
					if at == c.busy {
						return unix.EBUSY
					}
					mounted[at] = ""
					save()
					return nil
				}, func() error {
					did = append(did, "force")
					time.AfterFunc(time.Second, func() {
						if !c.stubborn {
							mounted["/"] = strings.ReplaceAll(root, "rw\n", "ro\n") // of the file system, not of the mount
							save()
						}
					})
					return nil
				}}.Quiet()
				if got := strings.Join(did, " "); got != c.want {
					t.Errorf("did %s, want %s", got, c.want)
				}
				if text := fmt.Sprint(err); (err == nil) != (c.told == "") || !strings.Contains(text, c.told) {
					t.Errorf("told %v", err)
				}
				if d := time.Since(began); c.told != "" && d < c.took {
					t.Errorf("gave up after %v", d)
				}
			})
		})
	}
}
