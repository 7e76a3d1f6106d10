// Package cut is the last act: it cuts the load, and it is all that runs by then.
//
// A [Seal] is the decision that lets it, written by the master as the last thing
// before its host powers off and removed when the power is good. A seal of another
// boot, an expired, torn or foreign one is an error and lets nothing.
//
// [Cutter] is pure: moments and readings in, what to do out. [Run] is the shell
// around it, for a machine on which nearly nothing else runs any more: it needs the
// kernel, the serial port and run, and waits for nobody.
//
// What it won't do: begin a kill on mains, or before every node that the master
// counted is off.
package cut
