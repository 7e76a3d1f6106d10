package alarm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
)

// read parses the text of a file with nothing but alarms.
func read(t *testing.T, text string) ([]Target, error) {
	t.Helper()
	doc, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all := Parse(doc.Root())
	return all, doc.Err()
}

// only parses one alarm that is right.
func only(t *testing.T, lines ...string) Target {
	t.Helper()
	all, err := read(t, "[[alarm]]\n"+strings.Join(lines, "\n"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%v: %v, %v", lines, all, err)
	}
	return all[0]
}

func TestWhoIsTold(t *testing.T) {
	for _, c := range []struct{ to, as, want string }{
		{"https://example.org/hook/s3cret?key=s3cret", "", "https://example.org/… json"},
		{"https://hooks.slack.com/services/T000/B000/s3cret", "", "https://hooks.slack.com/… slack"},
		{"https://hooks.slack.com/services/T000/B000/s3cret", "json", "https://hooks.slack.com/… json"},
		{"https://discord.com/api/webhooks/1/s3cret", "", "https://discord.com/… discord"},
		{"https://discordapp.com/api/webhooks/1/s3cret", "", "https://discordapp.com/… discord"},
		{"https://user:s3cret@gotify.lan:8443/message", "gotify", "https://gotify.lan:8443/… gotify"},
		{"http://192.168.1.2:8123/api/webhook/s3cret", "homeassistant", "http://192.168.1.2:8123/… homeassistant"},
		{"http://ha.lan/api/webhook/s3cret", "homeassistant", "http://ha.lan/… homeassistant"},
		{"ntfy://ntfy.sh/s3cret", "", "ntfy://ntfy.sh/… "},
		{"ntfy://:s3cret@ntfy.sh/s3cret", "", "ntfy://ntfy.sh/… "},
		{"ntfy+http://10.0.0.1:80/s3cret/", "", "ntfy+http://10.0.0.1:80/… "},
		{"ntfy+https://[2001:db8::1]/s3cret", "", "ntfy+https://[2001:db8::1]/… "},
		{"smtp://bob:s3cret@mail.example.org/?from=a@example.org&to=b%2Bups@example.org", "", "smtp://mail.example.org/?to=b+ups@example.org "},
		{"smtps://bob%40example.org:s3cret@mail.example.org:465/?to=b@example.org", "", "smtps://mail.example.org:465/?to=b@example.org "},
		{"smtp+plain://relay.lan?from=a@b&to=c@d", "", "smtp+plain://relay.lan/?to=c@d "},
		{"exec:///usr/local/bin/alarm", "", "exec:///usr/local/bin/alarm "},
	} {
		lines := []string{"to = '" + c.to + "'"}
		if c.as != "" {
			lines = append(lines, "as = '"+c.as+"'")
		}
		got := only(t, lines...)
		if is := got.String() + " " + got.as; is != c.want {
			t.Errorf("%s: got %s, want %s", c.to, is, c.want)
		}
		asJSON, _ := json.Marshal(got)
		if all := fmt.Sprintf("%v %+v %#v %s %s", got, got, &got, got, asJSON); strings.Contains(all, "s3cret") {
			t.Errorf("it tells its secret: %s", all)
		}
		for _, event := range []string{"problem", "clear", "fail", "ok", "report", Test} {
			if !got.wants(Message{Event: event}) {
				t.Errorf("%s is not told of %s", c.to, event)
			}
		}
		if got.wants(Message{Event: "grace"}) {
			t.Errorf("%s is told of grace without asking", c.to)
		}
	}
}

func TestAMailToSeveralIsOneForEach(t *testing.T) {
	got, err := read(t, "[[alarm]]\nto = 'smtp://mail.example.org/?from=a@example.org&to=b@example.org, c@example.org&to=d@example.org'\n")
	if err != nil {
		t.Fatal(err)
	}
	var rcpts []string
	ids := map[string]bool{}
	for _, x := range got {
		rcpts = append(rcpts, x.rcpt)
		ids[x.id()] = true
	}
	if diff := cmp.Diff([]string{"b@example.org", "c@example.org", "d@example.org"}, rcpts); diff != "" || len(ids) != 3 {
		t.Errorf("(-want +got):\n%s%v", diff, ids)
	}
}

func TestAQueueOutlivesANewPassword(t *testing.T) {
	a, b := only(t, "to = 'ntfy://bob:old@ntfy.sh/x'"), only(t, "to = 'ntfy://bob:new@ntfy.sh/x'")
	if c := only(t, "to = 'ntfy://ntfy.sh/y'"); a.id() != b.id() || a.id() == c.id() || a.id() == a.About("node/x").id() {
		t.Error(a.id(), b.id(), c.id(), a.About("node/x").id())
	}
	if a.Equal(b) || !a.Equal(a) || a.Equal(a.About("node/x")) {
		t.Error("who equals whom")
	}
}

func TestOneIsToldOfOneThingOnly(t *testing.T) {
	a := only(t, "to = 'exec:///x'\non = ['fail']").About("node/web1")
	for _, c := range []struct {
		m    Message
		want bool
	}{
		{Message{Event: "fail", On: "node/web1"}, true},
		{Message{Event: "fail", On: "node/web2"}, false},
		{Message{Event: "ok", On: "node/web1"}, false},
		{Message{Event: "fail", On: "ups/main"}, false},
		{Message{Event: "fail", On: "node/web1", Own: true}, true},
		{Message{Event: Test, On: "rack1"}, true},
	} {
		if got := a.wants(c.m); got != c.want {
			t.Errorf("%+v: %v", c.m, got)
		}
	}
	all := only(t, "to = 'exec:///x'\non = ['fail']")
	if own := (Message{Event: "fail", On: "node/web1", Own: true}); all.wants(own) {
		t.Error("what is one machine's own is told to who is told of all")
	}
}

func TestWrongAlarms(t *testing.T) {
	const smtp = "to = 'smtp://mail.example.org"
	for _, c := range []struct{ name, text, want string }{
		{"to nobody", "on = ['ok']", `1:3: alarm.to: the alarm names nobody; write to = "ntfy://…", "https://…", "smtp://…" or "exec:///…"`},
		{"to nothing", "to = ''", `2:1: alarm.to: not an address; write to = "ntfy://…", "https://…", "smtp://…" or "exec:///…", with %40 for an @ and %2F for a / in a password`},
		{"to a number", "to = 7", `2:1: alarm.to: found the number 7; write text in quotes: "…"`},
		{"to a person", "to = 'bob'", `2:1: alarm.to: it names no host; write to = "ntfy://…", "https://…", "smtp://…" or "exec:///…"`},
		{"password with a slash", "to = 'smtp://bob:s3c/ret@mail/?to=a@b'", `2:1: alarm.to: not an address; write to = "ntfy://…", "https://…", "smtp://…" or "exec:///…", with %40 for an @ and %2F for a / in a password`},
		{"by pigeon", "to = 'pigeon://s3cret@h/x'", `2:1: alarm.to: nobody can be told by pigeon://; write to = "ntfy://…", "https://…", "smtp://…" or "exec:///…"`},
		{"by mailto", "to = 'mailto:a@example.org'", `2:1: alarm.to: it does not say which server takes the mail; write "smtp://USER:PASSWORD@SERVER/?from=…&to=…"`},
		{"as others write it", "to = 'gotify://host/s3cret'", `2:1: alarm.to: there is no address of that kind; write the webhook's "https://…" and as = "gotify"`},
		{"host", "to = 'https://a_!b/x'", `2:1: alarm.to: "a_!b" is no host; write a name or an address, and ":PORT" if it is not the usual one`},
		{"port", "to = 'https://a:70000/x'", `2:1: alarm.to: "a:70000" is no host; write a name or an address, and ":PORT" if it is not the usual one`},
		{"ntfy as a webhook", "to = 'https://ntfy.sh/s3cret'", `2:1: alarm.to: that would show as raw JSON; write "ntfy://ntfy.sh/TOPIC"`},
		{"ntfy to no topic", "to = 'ntfy://ntfy.sh'", `2:1: alarm.to: its topic is missing or is none; write "ntfy://HOST/TOPIC", a topic being letters, digits, - and _`},
		{"ntfy to two topics", "to = 'ntfy://ntfy.sh/a/b'", `2:1: alarm.to: its topic is missing or is none; write "ntfy://HOST/TOPIC", a topic being letters, digits, - and _`},
		{"ntfy with more", "to = 'ntfy://ntfy.sh/a?priority=5'", `2:1: alarm.to: its topic is missing or is none; write "ntfy://HOST/TOPIC", a topic being letters, digits, - and _`},
		{"ntfy in clear", "to = 'ntfy+http://203.0.113.7/a'", `2:1: alarm.to: in clear it is told only within a private network, and 203.0.113.7 is not in one; write ntfy://`},
		{"webhook in clear", "to = 'http://203.0.113.7/a'", `2:1: alarm.to: in clear it is told only within a private network, and 203.0.113.7 is not in one; write https://`},
		{"as for ntfy", "to = 'ntfy://ntfy.sh/a'\nas = 'slack'", `2:1: alarm.to: "as" is for webhooks (https://); leave it out here`},
		{"as for mail", smtp + "/?from=a@b&to=c@d'\nas = 'json'", `2:1: alarm.to: "as" is for webhooks (https://); leave it out here`},
		{"as for a program", "to = 'exec:///x'\nas = 'json'", `2:1: alarm.to: "as" is for webhooks (https://); leave it out here`},
		{"as something", "to = 'https://h/x'\nas = 'teams'", `3:1: alarm.as: "teams" is not known here; write "json", "slack", "discord", "gotify" or "homeassistant"`},
		{"gotify's front page", "to = 'https://h/?token=s3cret'\nas = 'gotify'", `2:1: alarm.to: messages for Gotify go to "https://HOST/message?token=TOKEN"; write that`},
		{"mail to nobody", smtp + "/?from=a@b'", `2:1: alarm.to: it does not say to whom: "" is no mail address; write "/?from=…&to=me@example.org"`},
		{"mail to a name", smtp + "/?from=a@b&to=bob'", `2:1: alarm.to: it does not say to whom: "bob" is no mail address; write "/?from=…&to=me@example.org"`},
		{"mail to two lines", smtp + "/?from=a@b&to=c@d%0d%0aBcc:e@f'", `2:1: alarm.to: it does not say to whom: "c@d\r\nBcc:e@f" is no mail address; write "/?from=…&to=me@example.org"`},
		{"mail in letters", smtp + "/?from=a@b&to=bøb@d'", `2:1: alarm.to: it does not say to whom: "bøb@d" has letters that not every mail server takes; write "/?from=…&to=me@example.org"`},
		{"mail from nobody", smtp + "/?to=a@b'", `2:1: alarm.to: it does not say from whom: "" is no mail address; write "/?from=rack1@example.org&to=…"`},
		{"mail with a subject", smtp + "/?from=a@b&to=c@d&subject=x'", `2:1: alarm.to: mail has from and to, and no "subject"; leave it out`},
		{"mail with a path", smtp + "/bob?from=a@b&to=c@d'", `2:1: alarm.to: what follows the server is not understood; write "/?from=ADDRESS&to=ADDRESS", with %2B for a + in it`},
		{"mail at the other's port", smtp + ":465/?from=a@b&to=c@d'", `2:1: alarm.to: on port 465 TLS comes first; write smtps://`},
		{"mail's password in clear", "to = 'smtp+plain://bob:s3cret@h/?to=c@d'", `2:1: alarm.to: a password would be sent in clear; write smtp:// or smtps://, or leave the user out`},
		{"mail's user alone", "to = 'smtp://a%40b@h/?to=c@d'", `2:1: alarm.to: a user without a password; write USER:PASSWORD@ or secret_file`},
		{"mail's password alone", smtp + "/?from=a@b&to=c@d'\nsecret_file = '/x'", `2:1: alarm.to: the password's user is missing; write "smtp://USER@SERVER/…"`},
		{"program with arguments", "to = 'exec:///x?a=b'", `2:1: alarm.to: the program is not named by its full path alone; write "exec:///path/to/program"`},
		{"program from here", "to = 'exec://x'", `2:1: alarm.to: the program is not named by its full path alone; write "exec:///path/to/program"`},
		{"a folder", "to = 'exec:///x/'", `2:1: alarm.to: the program is not named by its full path alone; write "exec:///path/to/program"`},
		{"program with a secret", "to = 'exec:///x'\nsecret_file = '/x'", `3:1: alarm.secret_file: a program reads its secrets itself; leave it out`},
		{"two secrets", "to = 'ntfy://:s3cret@h/x'\nsecret_file = '/x'", `3:1: alarm.secret_file: the address has a password too; write one of them`},
		{"a secret somewhere", "to = 'ntfy://h/x'\nsecret_file = 'x'", `3:1: alarm.secret_file: "x" does not begin with /; write a full path such as "/etc/lastwatt/alarm.secret"`},
		{"never", "to = 'ntfy://h/x'\non = []", `3:1: alarm.on: the alarm names no event and would never be sent; write on = ["problem"], or leave it out`},
		{"on doomsday", "to = 'ntfy://h/x'\non = ['doomsday']", `3:7: alarm.on: "doomsday" is not known here; write "fail", "batlow", "ok", "grace", "cancel", "commit", "problem", "clear" or "report"`},
		{"unknown key", "to = 'ntfy://h/x'\npriority = 5", `3:1: alarm.priority: unknown key; known here: as, on, secret_file, to`},
	} {
		all, err := read(t, "[[alarm]]\n"+c.text)
		if err == nil {
			t.Errorf("%s: it is taken: %v", c.name, all)
			continue
		}
		if got := strings.TrimPrefix(err.Error(), "f:"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if strings.Contains(err.Error(), "s3c") {
			t.Errorf("%s: the error tells a secret: %v", c.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, to := range []string{"ntfy://a:b@h/t", "smtp://u:p@h/?from=a@b&to=c@d,e@f", "https://h/p?q", "exec:///x", "http://[::1%25x]:9/"} {
		f.Add(to, "json")
	}
	f.Fuzz(func(t *testing.T, to, as string) {
		toml, err := json.Marshal(to) // as good as TOML for what is UTF-8
		if err != nil || strings.ContainsFunc(to+as, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(as, "'") {
			t.Skip()
		}
		doc, err := config.Parse("f", []byte("[[alarm]]\nto = "+string(toml)+"\nas = '"+as+"'\n"))
		if err != nil {
			t.Skip()
		}
		for _, x := range Parse(doc.Root()) {
			if doc.Err() != nil {
				continue
			}
			if x.String() == "nobody" || x.id() == "" || x.kind == webhook && x.as == "" || x.kind == mail && (x.from == "" || x.rcpt == "") {
				t.Errorf("%q gives %#v", to, x)
			}
			if len(x.password) > 8 && strings.Contains(x.String(), x.password) {
				t.Errorf("%q shows its password: %s", to, x)
			}
		}
	})
}

func TestShown(t *testing.T) {
	for to, want := range map[string]string{
		"https://bob:s3cret@h/s3cret?s3cret":       "https://h/…",
		"ntfy://:s3cret@h:1/s3cret":                "ntfy://h:1/…",
		"smtp://bob:s3cret@h/?from=f@g&to=a@b,c@d": "smtp://h/?to=a@b,c@d",
		"exec:///x/y":                                          "exec:///x/y",
		"pigeon://s3cret@s3cret/s3cret":                        "pigeon://…",
		"https://s3cret:s3c ret@h/":                            "…",
		"https://hooks.slack.com/services/T0/B0/s3cret#s3cret": "https://hooks.slack.com/…",
	} {
		if got := Shown(to); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}
