package trust

import (
	"errors"
	"strings"
	"testing"
)

func exampleToken() Token {
	var tok Token
	for i := range tok.CA {
		tok.CA[i] = byte(i)
	}
	for i := range tok.Secret {
		tok.Secret[i] = byte(200 + i)
	}
	return tok
}

// TestTokenForm freezes the text: tokens cross from one version to another.
func TestTokenForm(t *testing.T) {
	const want = "lw1-aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp4rsokzpgm3twp2di5fu6u2xlnpot2inba"
	tok := exampleToken()
	if got := tok.String(); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	for _, s := range []string{want, strings.ToUpper(want), "  " + want[:40] + "\n\t" + want[40:] + "\r\n"} {
		if got, err := ParseToken(s); err != nil || got != tok {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// TestTokenTypos: each wrong, missing or swapped letter is told before anything is
// tried.
func TestTokenTypos(t *testing.T) {
	good := exampleToken().String()
	check := func(s string) {
		t.Helper()
		if s == good {
			return
		}
		if tok, err := ParseToken(s); !errors.Is(err, ErrTokenText) || tok != (Token{}) {
			t.Errorf("%q: %v", s, err)
		} else if strings.Contains(err.Error(), good[60:80]) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	for i := range good {
		for _, c := range "a7b-10=é" {
			check(good[:i] + string(c) + good[i+1:])
		}
		check(good[:i] + good[i+1:])
		check(good[:i] + "a" + good[i:])
		if i > 0 {
			check(good[:i-1] + good[i:i+1] + good[i-1:i] + good[i+1:])
		}
	}
	for _, s := range []string{"", "lw1-", "lw2" + good[3:], good + good, "hello"} {
		check(s)
	}
}

// FuzzParseToken: no text makes it panic, and what is taken is written back as the
// one way to write it.
func FuzzParseToken(f *testing.F) {
	f.Add(exampleToken().String())
	f.Add("lw1-")
	f.Add("lw1-" + strings.Repeat("a", 84))
	f.Add(strings.Repeat("7", 88))
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			if tok != (Token{}) {
				t.Errorf("a token beside an error")
			}
			return
		}
		if back := tok.String(); back != strings.ToLower(strings.Join(strings.Fields(s), "")) {
			t.Errorf("%q is taken for %q", s, back)
		}
	})
}
