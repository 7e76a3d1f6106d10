package cut

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
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
