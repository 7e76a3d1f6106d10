package power

// Link is a node's contact with whoever tells it a feed's state. The numbers lie
// on disk: they are written out and never change.
type Link uint8

// The kinds of contact.
const (
	LinkNone Link = 0 // never had contact
	LinkUp   Link = 1 // heartbeats arrive
	LinkAway Link = 2 // the master said goodbye (it restarts): good for 2 minutes
	LinkLost Link = 3 // heartbeats missed, or the stream broke
)

// String returns the contact's name.
func (l Link) String() string {
	switch l {
	case LinkUp:
		return "up"
	case LinkAway:
		return "away"
	case LinkLost:
		return "lost"
	default:
		return "none"
	}
}
