package alarm

import (
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/lastwatt/lastwatt/pkg/config"
)

// Parse reads every [[alarm]] of t. What is wrong goes into the document's errors,
// without what stands there: it may be a secret, and errors end in logs. A mail to
// several people is a Target for each: what one of them refuses must not keep it from
// the others, nor be sent to them twice.
func Parse(t *config.Table) []Target {
	var all []Target
	for _, a := range t.Tables("alarm") {
		all = append(all, parse(a)...)
	}
	return all
}

// parse reads one [[alarm]].
func parse(t *config.Table) []Target {
	out := Target{
		on: t.Choices("on", []string{"problem", "clear", "fail", "ok", "report"},
			"fail", "batlow", "ok", "grace", "cancel", "commit", "problem", "clear", "report"),
		as: t.Choice("as", "", asJSON, asSlack, asDiscord, asGotify, asHomeAssistant),
	}
	if len(out.on) == 0 {
		t.Errorf("on", `the alarm names no event and would never be sent; write on = ["problem"], or leave it out`)
	}
	if t.Has("secret_file") {
		out.secretFile = t.AbsPath("secret_file", "/etc/lastwatt/alarm.secret")
	}
	to := t.String("to", "")
	if t.Wrong("to") {
		return nil
	}
	if !t.Has("to") {
		t.Errorf("to", "the alarm names nobody; write %s", howTo)
		return nil
	}
	u, err := url.Parse(to)
	if err != nil || u.Host+u.Path+u.Opaque == "" {
		t.Errorf("to", "not an address; write %s, with %%40 for an @ and %%2F for a / in a password", howTo)
		return nil
	}
	all, err := out.address(u)
	if err != nil {
		t.Errorf("to", "%v", err)
		return nil
	}
	if err := extras(all[0]); err.text != "" {
		t.Errorf(err.key, "%s", err.text)
	}
	return all
}

const howTo = `to = "ntfy://…", "https://…", "smtp://…" or "exec:///…"`

// address reads who is to be told. The rest of t is what is known of him already.
func (t Target) address(u *url.URL) ([]Target, error) {
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
	}
	bare := *u
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	t.url = &bare
	switch u.Scheme {
	case "exec":
		return t.program()
	case "mailto":
		return nil, errors.New(`it does not say which server takes the mail; write "smtp://USER:PASSWORD@SERVER/?from=…&to=…"`)
	}
	if err := checkHost(u); err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "https", "http":
		return t.webhook()
	case "ntfy", "ntfy+https", "ntfy+http":
		return t.ntfy()
	case "smtp", "smtps", "smtp+plain":
		return t.mail()
	case asSlack, asDiscord, asGotify, asHomeAssistant:
		return nil, fmt.Errorf(`there is no address of that kind; write the webhook's "https://…" and as = %q`, u.Scheme)
	default:
		return nil, fmt.Errorf("nobody can be told by %s://; write %s", u.Scheme, howTo)
	}
}

// checkHost says what is wrong with the host and port, or nil.
func checkHost(u *url.URL) error {
	if u.Host == "" {
		return fmt.Errorf("it names no host; write %s", howTo)
	}
	port := u.Port()
	if port == "" {
		port = "1"
	}
	// Its text has the host and the port only, which are no secrets.
	if err := config.CheckHostPort(net.JoinHostPort(u.Hostname(), port)); err != nil {
		return fmt.Errorf(`%q is no host; write a name or an address, and ":PORT" if it is not the usual one`, u.Host)
	}
	return nil
}

func (t Target) webhook() ([]Target, error) {
	t.kind = webhook
	host := strings.ToLower(t.url.Hostname())
	switch {
	case host == "ntfy.sh":
		return nil, errors.New(`that would show as raw JSON; write "ntfy://ntfy.sh/TOPIC"`)
	case t.as != "":
	case host == "hooks.slack.com":
		t.as = asSlack
	case slices.Contains([]string{"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}, host):
		t.as = asDiscord
	default:
		t.as = asJSON
	}
	if t.as == asGotify && path.Base(t.url.Path) != "message" {
		return nil, errors.New(`messages for Gotify go to "https://HOST/message?token=TOKEN"; write that`)
	}
	if addr, err := netip.ParseAddr(host); t.url.Scheme == "http" && err == nil && !private(addr) {
		return nil, fmt.Errorf("in clear it is told only within a private network, and %s is not in one; write https://", addr)
	}
	return []Target{t}, nil
}

// topicForm is what ntfy calls a topic (its server's own pattern).
var topicForm = regexp.MustCompile(`^/[-_A-Za-z0-9]{1,64}/?$`)

func (t Target) ntfy() ([]Target, error) {
	t.kind = ntfy
	if t.as != "" {
		return nil, errNotWebhook
	}
	if !topicForm.MatchString(t.url.Path) || t.url.RawQuery != "" {
		return nil, errors.New(`its topic is missing or is none; write "ntfy://HOST/TOPIC", a topic being letters, digits, - and _`)
	}
	if addr, err := netip.ParseAddr(t.url.Hostname()); t.url.Scheme == "ntfy+http" && err == nil && !private(addr) {
		return nil, fmt.Errorf("in clear it is told only within a private network, and %s is not in one; write ntfy://", addr)
	}
	return []Target{t}, nil
}

var errNotWebhook = errors.New(`"as" is for webhooks (https://); leave it out here`)

func (t Target) mail() ([]Target, error) {
	t.kind = mail
	t.plain = t.url.Scheme == "smtp+plain"
	q, err := url.ParseQuery(t.url.RawQuery)
	switch {
	case t.as != "":
		return nil, errNotWebhook
	case t.url.Scheme == "smtp" && t.url.Port() == "465":
		return nil, errors.New("on port 465 TLS comes first; write smtps://")
	case err != nil || strings.Trim(t.url.Path, "/") != "":
		return nil, errors.New(`what follows the server is not understood; write "/?from=ADDRESS&to=ADDRESS", with %2B for a + in it`)
	case t.plain && t.user+t.password+t.secretFile != "":
		return nil, errors.New("a password would be sent in clear; write smtp:// or smtps://, or leave the user out")
	}
	for key := range q {
		if key != "from" && key != "to" {
			return nil, fmt.Errorf("mail has from and to, and no %q; leave it out", key)
		}
	}
	from := q.Get("from")
	if from == "" {
		from = t.user
	}
	if t.from, err = address(from); err != nil {
		return nil, fmt.Errorf(`it does not say from whom: %w; write "/?from=rack1@example.org&to=…"`, err)
	}
	var all []Target
	for _, to := range strings.Split(strings.Join(q["to"], ","), ",") {
		one := t
		if one.rcpt, err = address(to); err != nil {
			return nil, fmt.Errorf(`it does not say to whom: %w; write "/?from=…&to=me@example.org"`, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// address returns a mail address without a name, in letters that every server takes.
func address(s string) (string, error) {
	a, err := netmail.ParseAddress(strings.TrimSpace(s))
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is no mail address", s)
	case strings.ContainsFunc(a.Address, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }):
		return "", fmt.Errorf("%q has letters that not every mail server takes", s)
	}
	return a.Address, nil
}

func (t Target) program() ([]Target, error) {
	t.kind = program
	switch {
	case t.as != "":
		return nil, errNotWebhook
	case t.url.Host != "" || t.url.RawQuery != "" || t.user != "" || config.CheckPath(t.url.Path) != nil || strings.HasSuffix(t.url.Path, "/"):
		return nil, errors.New(`the program is not named by its full path alone; write "exec:///path/to/program"`)
	}
	return []Target{t}, nil
}

// mistake is what is wrong with a key.
type mistake struct{ key, text string }

// extras looks at what must fit together: the keys that were read and the address.
func extras(t Target) mistake {
	switch {
	case t.secretFile != "" && t.kind == program:
		return mistake{"secret_file", "a program reads its secrets itself; leave it out"}
	case t.secretFile != "" && t.password != "":
		return mistake{"secret_file", "the address has a password too; write one of them"}
	case t.kind == mail && t.user == "" && t.secretFile+t.password != "":
		return mistake{"to", `the password's user is missing; write "smtp://USER@SERVER/…"`}
	case t.user != "" && t.secretFile+t.password == "":
		return mistake{"to", "a user without a password; write USER:PASSWORD@ or secret_file"}
	default:
		return mistake{}
	}
}
