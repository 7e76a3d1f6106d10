package trust

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// SecretSize is the length of a token's secret in bytes: 128 bits can't be
// guessed (NIST SP 800-131A rev. 2 asks for 112).
const SecretSize = 16

const (
	tokenPrefix = "lw1-"
	sumSize     = 4 // a typo passes one time in 2^32
)

// tokenText is RFC 4648 base32 in lower case: no 0, 1 or 8 to take for o, l or b.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrTokenText is the error for text that is no token, or one with a typo.
var ErrTokenText = errors.New("not a token")

// Token is what a person carries from the master to a new machine. It tells the
// machine which CA to believe and the master that the machine may come in.
type Token struct {
	CA     [sha256.Size]byte // SHA-256 of the CA's certificate, DER
	Secret [SecretSize]byte
}

// String returns the token in one word. It holds the secret: show it once, to the
// person who asked.
func (t Token) String() string {
	b := append(t.CA[:], t.Secret[:]...)
	return tokenPrefix + tokenText.EncodeToString(append(b, tokenSum(b)...))
}

// ParseToken reads what String wrote. Upper case and white space, as a wrapped
// line or a mail adds them, do no harm.
func ParseToken(s string) (Token, error) {
	s = strings.ToLower(strings.Join(strings.Fields(s), ""))
	text, ok := strings.CutPrefix(s, tokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("%w: it does not begin with %q; copy the whole line that `upsctl token create` printed", ErrTokenText, tokenPrefix)
	}
	const size = sha256.Size + SecretSize + sumSize
	if n := tokenText.EncodedLen(size); len(text) != n {
		return Token{}, fmt.Errorf("%w: it has %d letters and not %d; copy the whole line that `upsctl token create` printed", ErrTokenText, len(text)+len(tokenPrefix), n+len(tokenPrefix))
	}
	b, err := tokenText.DecodeString(text)
	var t Token
	if err == nil && len(b) == size {
		copy(t.CA[:], b)
		copy(t.Secret[:], b[sha256.Size:])
	}
	// Comparing the text, and not only the sum, leaves one spelling per token.
	if t.String() != s {
		return Token{}, fmt.Errorf("%w: a letter is wrong; copy it again", ErrTokenText)
	}
	return t, nil
}

func tokenSum(b []byte) []byte {
	h := sha256.Sum256(append([]byte(tokenPrefix), b...))
	return h[:sumSize]
}
