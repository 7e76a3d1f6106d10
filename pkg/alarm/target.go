package alarm

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// kind is a way to tell.
type kind int

const (
	_ kind = iota
	webhook
	ntfy
	mail
	program
)

// The templates: what a webhook is sent.
const (
	asJSON          = "json"
	asSlack         = "slack"
	asDiscord       = "discord"
	asGotify        = "gotify"
	asHomeAssistant = "homeassistant"
)

// Target is somebody to tell, as one [[alarm]] names him, checked. It prints, and
// encodes, without its secrets.
type Target struct {
	kind kind
	on   []string
	as   string   // a webhook's template
	url  *url.URL // without user and password
	// user and password are what the address or the secret's file holds; a password
	// without a user is a token.
	user, password string
	secretFile     string
	from, rcpt     string // of mail
	plain          bool   // mail in clear
	only           string // told of this only; empty: of everything
}

// About returns t as one that is told only of what has this On.
func (t Target) About(on string) Target {
	t.only = on
	return t
}

// wants reports whether t is to be told.
func (t Target) wants(m Message) bool {
	if m.Event == Test {
		return true
	}
	return slices.Contains(t.on, m.Event) && (t.only == m.On || t.only == "" && !m.Own)
}

// String says who it is, as far as everybody may know: paths and queries of webhooks
// and topics of ntfy are as good as passwords.
func (t Target) String() string {
	switch t.kind {
	case mail:
		return t.url.Scheme + "://" + t.url.Host + "/?to=" + t.rcpt
	case program:
		return "exec://" + t.url.Path
	case webhook, ntfy:
		return t.url.Scheme + "://" + t.url.Host + "/…"
	default:
		return "nobody"
	}
}

// MarshalText is String: a Target has no other outside.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// GoString is String.
func (t Target) GoString() string { return t.String() }

// Equal reports whether both are told the same in the same way.
func (t Target) Equal(u Target) bool { return reflect.DeepEqual(t, u) }

// id names the queue of t on disk. It is the same after a change of password, and
// gives nothing away that the file's reader may not know.
func (t Target) id() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.url.String(), t.rcpt, t.as, t.only}, "\n")))
	return hex.EncodeToString(sum[:8])
}

// secrets are the parts of t that nobody else may see.
func (t Target) secrets() []string {
	all := []string{t.password, url.QueryEscape(t.password)}
	if t.kind == webhook || t.kind == ntfy {
		all = append(all, t.url.RawQuery)
		for part := range strings.SplitSeq(t.url.Path, "/") {
			all = append(all, part)
		}
		for _, values := range t.url.Query() {
			all = append(all, values...)
		}
	}
	return all
}

// wellKnown are parts of webhooks' paths that are no secrets and stand in answers.
var wellKnown = [...]string{"webhook", "webhooks", "services", "message", "persistent_notification", "create", "notify"}

// secretMin is the shortest text that is looked for: shorter ones, such as the "v1" of
// a path, are no secrets and would make holes in every sentence.
const secretMin = 5

// redact takes the secrets out of a text.
func redact(s string, secrets []string) string {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the whole before its parts
	for _, secret := range secrets {
		if len(secret) >= secretMin && !slices.Contains(wellKnown[:], secret) {
			s = strings.ReplaceAll(s, secret, "…")
		}
	}
	return s
}

// Shown returns what everybody may see of an address as the file has it, for whoever
// prints a file.
func Shown(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return "…"
	}
	all, err := Target{}.address(u)
	if err != nil {
		return u.Scheme + "://…"
	}
	text := all[0].String()
	for _, more := range all[1:] {
		text += "," + more.rcpt
	}
	return text
}
