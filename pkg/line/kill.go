package line

// Transmitter is a [Handle] whose data wire can be used: some cables cut the load by
// a break on it, or by data.
type Transmitter interface {
	// Break begins or ends a break: TxD stays at space.
	Break(on bool) error
	// Send gives bytes to the driver, as many as it takes at once.
	Send(b []byte) (int, error)
	// Flush forgets what was given to the driver and is not sent yet.
	Flush() error
}

// Asserted returns the output levels while a kill by levels lasts: what it doesn't
// name stays as it is held.
func (c Cable) Asserted() Lines {
	ls := c.Idle()
	for _, t := range c.Kill.Set {
		ls &^= t.Line
	}
	return ls | high(c.Kill.Set)
}

// ReadsInKill reports whether the inputs still mean something while the kill lasts.
// Where it drops an output that is held high the contacts lose their supply, and
// what they say then is not the UPS's word.
func (c Cable) ReadsInKill() bool { return c.Idle()&^c.Asserted() == 0 }
