// Package trust says who is who in a rack. It hides the rack's own certificate
// authority, the tokens by which a key is admitted, the roster of admitted and of
// removed keys, the TLS settings that make use of them, what a hostile LAN may use
// up, and the file by which a replaced master takes over.
//
// Keys, not dates: certificates never end, and no verification asks the clock,
// because a board without an RTC boots in the past exactly after a power cut. A
// certificate of the rack's CA is not enough: the master also wants its key on
// the roster, under that name and role.
//
// An [Authority] is safe for concurrent use. Those who only look (Identify,
// Members) never wait for the disk, not even for one that hangs; those who change
// something (CreateToken, Admit, Remove) do, one after the other, and nothing holds
// that isn't on disk, but for a removal, which holds at once. An [Identity] and a
// [Removed] are values that never change.
//
// The package opens no connection, decides no permission (that is package api's
// interceptor), and reads no clock: tokens end by [power.Uptime] and boot id.
package trust
