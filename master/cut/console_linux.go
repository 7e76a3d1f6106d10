package cut

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// level is how important the kernel takes our lines for. With "quiet" it shows what
// is below 4, warnings (console_loglevel, proc_sys_kernel(5)); and these few lines
// are all that tells why the machine is not off yet.
const level = 3

// Console returns what tells people in front of the machine, and ends it: nobody
// keeps logs any more. The kernel prints it on its consoles; where it lets nobody, as
// in a container, the console itself is used. A message that nobody takes is lost.
func Console() (say func(string), done func()) {
	form := "lastwatt: %s\n"
	f, err := openNow("/dev/kmsg")
	if err == nil {
		form = fmt.Sprintf("<%d>%s", level, form)
	} else {
		f, err = openNow("/dev/console")
	}
	if err != nil {
		return func(string) {}, func() {}
	}
	return func(text string) { fmt.Fprintf(f, form, text) }, func() { _ = f.Close() }
}

// openNow opens a file to write to it, and neither waits nor makes it our terminal.
func openNow(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
}
