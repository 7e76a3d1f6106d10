// Package probe asks whether a machine is there at all: not whether a program on it
// answers, but whether anything of its network does. It hides how: an ICMP echo without
// privileges where the system allows that, and what the kernel's own ARP and neighbour
// discovery found out, for machines that ignore echoes.
//
// An answer proves that the machine's kernel runs. Silence proves something only where
// the machine was heard before and this one's own network stands, and so there are three
// answers. A [Prober] may be used by any number of goroutines; each probe takes about a
// second at most. It changes nothing on any machine, and decides nothing.
package probe
