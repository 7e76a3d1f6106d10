package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"
)

// Listen returns the address at key on which to listen: "HOST:PORT" or ":PORT".
// Where off, "" turns it off.
func (t *Table) Listen(key, def string, off bool) string {
	s := t.String(key, def)
	if s == "" && off {
		return s
	}
	want := `":8493" or "192.0.2.1:8493"`
	if off {
		want += `, or "" to turn it off`
	}
	if err := checkAddress(s, false); err != nil {
		t.Errorf(key, "%v; write an address such as %s", err, want)
		return def
	}
	return s
}

// CheckHostPort returns what is wrong with an address to connect to, or nil.
func CheckHostPort(s string) error { return checkAddress(s, true) }

func checkAddress(s string, needHost bool) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return fmt.Errorf("%q has no port from 1 to 65535", s)
	}
	switch {
	case host == "" && needHost:
		return fmt.Errorf("%q has no host", s)
	case host != "" && !isHost(host):
		return fmt.Errorf("%q has no host name or address before the port", s)
	}
	return nil
}

// isHost reports whether s is an IP address or a host name (RFC 1123 §2.1).
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return IsDomain(s)
}

// IsDomain reports whether s is a host or domain name (RFC 1123 §2.1); underscores
// are let through, as resolvers do.
func IsDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notBare) || label[0] == '-' {
			return false
		}
	}
	return true
}

// AbsPath returns the path at key, which must be absolute, in its shortest form.
func (t *Table) AbsPath(key, def string) string {
	s := t.String(key, def)
	if err := CheckPath(s); err != nil {
		t.Errorf(key, "%v; write a full path such as %q", err, def)
		return def
	}
	return path.Clean(s)
}

// maxSocketPath is what fits in sun_path with its closing zero (unix(7)).
const maxSocketPath = 107

// SocketPath is AbsPath for a Unix socket.
func (t *Table) SocketPath(key, def string) string {
	s := t.AbsPath(key, def)
	if len(s) > maxSocketPath {
		t.Errorf(key, "%d letters are too long for a socket; write a path of at most %d", len(s), maxSocketPath)
		return def
	}
	return s
}

// CheckPath returns what is wrong with an absolute path, or nil.
func CheckPath(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case !strings.HasPrefix(s, "/"):
		return fmt.Errorf("%q does not begin with /", s)
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("%q holds a zero byte", s)
	}
	return nil
}

// maxInterface is the longest name of an interface (IFNAMSIZ, netdevice(7), is 16
// with the NUL).
const maxInterface = 15

// Interfaces returns a list of names of network interfaces; whether they are there
// is not asked, because they come and go.
func (t *Table) Interfaces(key string) []string {
	names := t.Strings(key)
	for i, s := range names {
		if s == "" || len(s) > maxInterface || strings.ContainsAny(s, "/ \t\n") {
			t.ErrorAt(key, i, "%q is no network interface; write names as `ip link` shows them", s)
		}
	}
	return names
}

// HostName returns the first label of this host's name, "" when it has none: the
// default of names.
func HostName() string {
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	return name
}
