//go:build !unix

package trust

// noFollow has no equivalent here; links need administrator's rights anyway.
const noFollow = 0
