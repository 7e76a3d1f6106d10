package node

// Ping has answer called by the goroutine that drives the machine, so that whoever
// asks knows that it lives. It never blocks.
func (d *Driver) Ping(answer func()) { d.post(answer) }
