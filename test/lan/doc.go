// Package lan proves pkg/discovery on real sockets: network namespaces on a bridge,
// the test's own program running again in each, beside avahi and two hundred
// strangers, with addresses that move, interfaces that go and packets that are lost.
// It has no code but its tests.
//
// The whole test runs in namespaces of its own (network, mounts, processes), so
// that it can't touch the machine's network, and the kernel removes all that it made
// when it ends, however it ends. It needs root, or a kernel that lets anybody have a
// user namespace; ip (iproute2), nsenter (util-linux), dbus-daemon, avahi-daemon,
// avahi-browse and avahi-publish (avahi-utils).
package lan
