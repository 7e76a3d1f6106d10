package probe

import (
	"bytes"
	"encoding/binary"
)

// The types of an echo's request and answer: RFC 792, RFC 4443 §4.
const (
	echo4, echoReply4 = 8, 0
	echo6, echoReply6 = 128, 129
)

// headerLen is the length of an echo's header: type, code, checksum, identifier, sequence.
const headerLen = 8

// request returns an echo request that bears token. Where the kernel does not do it
// itself, its checksum is right for IPv4; IPv6's the kernel always makes.
func request(v6 bool, token []byte) []byte {
	b := make([]byte, headerLen, headerLen+len(token))
	if b[0] = echo4; v6 {
		b[0] = echo6
	}
	b = append(b, token...)
	if !v6 {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// isReply reports whether a packet answers the request with that token. The token and
// not the identifier tells: a socket without privileges has another one than it wrote.
// raw says that an IPv4 header comes first.
func isReply(p []byte, v6, raw bool, token []byte) bool {
	if raw && !v6 {
		if len(p) < 1 || len(p) < int(p[0]&0xf)*4 {
			return false
		}
		p = p[int(p[0]&0xf)*4:] // IHL counts words, RFC 791 §3.1
	}
	want := byte(echoReply4)
	if v6 {
		want = echoReply6
	}
	return len(p) >= headerLen && p[0] == want && bytes.Equal(p[headerLen:], token)
}

// checksum is the Internet's: RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum) //nolint:gosec // the carries are folded in
}
