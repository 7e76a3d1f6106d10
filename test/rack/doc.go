// Package rack proves the whole on machines that really boot and really power off:
// systemd containers on a network of their own, with the programs and units of this
// tree installed, on the load of a UPS ([github.com/lastwatt/lastwatt/test/vtty]) whose
// serial cable ends in the master. The mains fail; who goes off when, how, and who
// comes back is read off the containers themselves. It has no code but its tests.
//
// `make rack` runs it, and `go test ./test/rack -rack` with CGO_ENABLED=0; without
// that flag nothing is done here. It needs root, Linux 5.14, systemd-nspawn
// (systemd-container), debootstrap (once, for some 270 MB below the user's cache folder;
// LASTWATT_RACK_TREE names a tree that is there already, LASTWATT_RACK_MIRROR a mirror),
// ip (iproute2), nsenter and unshare (util-linux).
//
// All runs in namespaces of its own (network, mounts, processes) with its disks in
// memory, so that it can't touch the machine and the kernel removes all of it when the
// test ends, however it ends; what a file system keeps, two folders, is removed by a
// janitor: a process that waits for the test to be gone. Nothing waits for time to
// pass: tests wait for what they want to see, with a deadline.
package rack
