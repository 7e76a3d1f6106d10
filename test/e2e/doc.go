// Package e2e has the tests of the three real programs, unmodified, together: a
// master on a virtual serial port ([github.com/lastwatt/lastwatt/test/vtty]) with a
// UPS behind it, agents that joined it over real connections, upsctl to look. It
// has tests only.
//
// Nothing needs root, and nothing waits for time to pass: tests wait for what they
// want to see, with a deadline. The programs are built once, by the tests
// themselves; LASTWATT_BIN names a folder that has them already.
package e2e
