package power

// Signals is what a UPS says on its wires at one moment, decoded by the cable.
// The zero value is a good reading of a UPS on mains, as a cable with quiet wires
// gives it: who can't read must set Blind.
type Signals struct {
	// Blind is true when the wires can't be read or can't be believed (port gone,
	// the present wire says no plug). The other fields are then meaningless.
	Blind bool
	// Reason says why, when Blind.
	Reason string
	// OnBattery: the mains has failed.
	OnBattery bool
	// Low: the battery is low. On mains it means a weak battery, not an order.
	Low bool
	// Replace: the UPS asks for a new battery.
	Replace bool
	// Bypass: the load is fed past the UPS.
	Bypass bool
	// Pulses counts changes of the wires that were over before they could be
	// read, summed since the port was opened (TIOCGICOUNT, tty_ioctl(4)).
	Pulses uint32
}
