//go:build !linux

package cut

// Console returns what tells people in front of the machine, and ends it.
func Console() (say func(string), done func()) { return func(string) {}, func() {} }
