package discovery

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"
)

const maxLabel = 63 // RFC 1035 §2.3.4

var kindPattern = regexp.MustCompile(`^_[a-z][a-z0-9-]{0,14}\._(tcp|udp)$`) // RFC 6335 §5.1

func validKind(kind string) bool { return kindPattern.MatchString(kind) }

// printable is the rule for all text from the LAN: valid UTF-8 of printable runes
// and the ASCII space. No control character, no line end, nothing that reverses or
// hides text. What breaks it is refused, not repaired: repairing would make two
// names one.
func printable(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0
}

// hostLike reports whether a host's name is one that may be shown and dialled.
func hostLike(s string) bool {
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// key is a DNS name in wire form and lower case: two names are the same if and only
// if their keys are. It is "" for what is no name. (A length byte is 63 at most,
// which is below 'A'.)
func key(name string) string {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(dns.Fqdn(name), buf, 0, nil, false)
	if err != nil {
		return ""
	}
	for i, c := range buf[:n] {
		if 'A' <= c && c <= 'Z' {
			buf[i] = c + 'a' - 'A'
		}
	}
	return string(buf[:n])
}

// firstLabel returns the first label of a name as plain bytes.
func firstLabel(name string) string {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(dns.Fqdn(name), buf, 0, nil, false)
	if err != nil || n == 0 || int(buf[0])+1 > n {
		return ""
	}
	return string(buf[1 : 1+buf[0]])
}

// escapeLabel writes bytes as one label of a name.
func escapeLabel(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return b.String()
}

// hostLabel makes the readable part of a host's name from an instance's.
func hostLabel(name string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	return strings.Trim(label[:min(len(label), 40)], "-")
}

// numbered is a name's nth try: "web1", "web1-2", "web1-3", never too long.
func numbered(name string, n int) string {
	if n < 2 {
		return name
	}
	suffix := fmt.Sprintf("-%d", n)
	for len(name)+len(suffix) > maxLabel {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name + suffix
}

// encodeText writes a service's text as the strings of a TXT record, sorted.
func encodeText(text map[string]string) ([]string, error) {
	var out []string
	size := 0
	for _, k := range slices.Sorted(maps.Keys(text)) {
		pair := k + "=" + text[k]
		switch {
		case !textKey(k):
			return nil, fmt.Errorf("cannot announce text %q: a key is printable ASCII without %q", k, "=")
		case text[k] != "" && !printable(text[k]):
			return nil, fmt.Errorf("cannot announce text %s=%q: a value is printable", k, text[k])
		case len(pair) > 255: // one length byte
			return nil, fmt.Errorf("cannot announce text %s: it has %d bytes, more than 255", k, len(pair))
		}
		size += len(pair) + 1
		out = append(out, escapeText(pair))
	}
	if size > maxText {
		return nil, errors.New("cannot announce that much text: write less")
	}
	if len(out) == 0 {
		out = []string{""} // RFC 6763 §6.1: never without any string
	}
	return out, nil
}

// decodeText reads a TXT record. What breaks the rules is left out; keys are in
// lower case, and of two the first counts (RFC 6763 §6.4).
func decodeText(pairs []string) map[string]string {
	out := map[string]string{}
	size := 0
	for _, pair := range pairs {
		raw := unescapeText(pair)
		if size += len(raw) + 1; size > maxText {
			break
		}
		k, v, _ := strings.Cut(raw, "=")
		k = strings.ToLower(k)
		if _, twice := out[k]; twice || !textKey(k) || v != "" && !printable(v) {
			continue
		}
		out[k] = v
	}
	return out
}

func textKey(k string) bool {
	return k != "" && !strings.ContainsFunc(k, func(r rune) bool { return r < ' ' || r > '~' || r == '=' })
}

// escapeText writes bytes the way miekg/dns reads strings: a backslash escapes.
func escapeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

// unescapeText undoes what miekg/dns does to strings: \DDD and \X.
func unescapeText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i+2 < len(s) && digit(s[i]) && digit(s[i+1]) && digit(s[i+2]) {
			b.WriteByte((s[i]-'0')*100 + (s[i+1]-'0')*10 + s[i+2] - '0')
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
