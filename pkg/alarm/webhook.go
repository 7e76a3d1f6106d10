package alarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// bodyMax is how much of an answer is read; headMax of its headers.
	bodyMax = 4 << 10
	headMax = 64 << 10
)

// post sends a message by HTTP.
func (o *outside) post(ctx context.Context, t Target, n note) error {
	body, err := json.Marshal(payload(t, n))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint(), bytes.NewReader(body))
	if err != nil {
		return errors.New("its address can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lastwatt")
	switch {
	case t.user != "":
		req.SetBasicAuth(t.user, t.password)
	case t.password != "" && t.as == asGotify:
		req.Header.Set("X-Gotify-Key", t.password)
	case t.password != "":
		req.Header.Set("Authorization", "Bearer "+t.password)
	}
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		return o.connect(ctx, address, req.URL.Scheme == "http")
	}
	client := http.Client{
		// A message is sent every other day: nothing is kept open in between, and no
		// proxy of the environment sees it.
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: o.tls(""), DisableKeepAlives: true, MaxResponseHeaderBytes: headMax,
		},
		// A redirect would carry the message, and its secrets, to somebody else, and
		// most make a GET of it, which is answered by 200 and tells nobody.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		var outer *url.Error // its text has the whole address
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, bodyMax)) // for people, as far as it goes
	return verdict(resp, string(answer))
}

// verdict says what an answer means.
func verdict(resp *http.Response, answer string) error {
	code := resp.StatusCode
	if code/100 == 2 {
		return nil
	}
	r := refusal{text: fmt.Sprintf("it answers %d %s", code, http.StatusText(code))}
	switch code {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		r.message = true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		// Seconds; the date that it may be too (RFC 9110 §10.2.3) is nobody's habit.
		r.after, _ = strconv.Atoi(resp.Header.Get("Retry-After"))
	}
	if to, err := resp.Location(); code/100 == 3 && err == nil {
		r.text += fmt.Sprintf(", go to %s://%s; write that address", to.Scheme, to.Host)
	} else if answer = strings.TrimSpace(answer); answer != "" {
		r.text += ": " + answer
	}
	return r
}

// endpoint is where to post.
func (t Target) endpoint() string {
	u := *t.url
	if t.kind == ntfy {
		// As JSON to the server's root: headers would not carry every letter of a title.
		u.Path, u.RawPath = "/", ""
		u.Scheme = "https"
		if t.url.Scheme == "ntfy+http" {
			u.Scheme = "http"
		}
	}
	return u.String()
}

// payload is what is posted.
func payload(t Target, n note) any {
	type fields = map[string]any
	switch {
	case t.kind == ntfy:
		u := urgency(n.Event)
		return fields{"topic": strings.Trim(t.url.Path, "/"), "title": n.heading(), "message": n.body(), "priority": u.ntfy, "tags": []string{u.tag}}
	case t.as == asSlack:
		return fields{"text": slackText.Replace(n.heading() + "\n" + n.body()), "mrkdwn": false}
	case t.as == asDiscord:
		text := discordText.Replace(n.heading() + "\n" + n.body())
		return fields{"content": cut(text, discordMax), "allowed_mentions": fields{"parse": []string{}}}
	case t.as == asGotify:
		return fields{"title": n.heading(), "message": n.body(), "priority": urgency(n.Event).gotify}
	case t.as == asHomeAssistant && strings.HasPrefix(t.url.Path, "/api/services/"):
		return fields{"title": n.heading(), "message": n.body()} // an action refuses what it doesn't know
	case t.as == asHomeAssistant:
		return fields{"title": n.heading(), "message": n.body(), "event": n.Event, "on": n.On, "problem": n.Problem}
	default:
		return n.record()
	}
}

// discordMax is how many characters a message may have there.
const discordMax = 2000

var (
	// slackText keeps a text from calling everybody (<!channel>) and making links.
	slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	// discordText keeps names from becoming bold or a link.
	discordText = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, "[", `\[`, "#", `\#`, ">", `\>`)
)

// record is the message for programs: the body of a plain webhook, and what a program
// reads.
type record struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	Event   string `json:"event"`
	On      string `json:"on"`
	Problem string `json:"problem"`
	Title   string `json:"title"`
	Text    string `json:"text"`
	Time    string `json:"time"`
	Late    int    `json:"late_seconds"`
	Lost    int    `json:"lost"`
}

func (n note) record() record {
	return record{
		ID: n.id, From: n.from, Event: n.Event, On: n.On, Problem: n.Problem, Title: n.Title, Text: n.Text,
		Time: n.Wall.Format("2006-01-02T15:04:05Z07:00"), Late: int(n.late.Seconds()), Lost: n.lost,
	}
}

// urgent is how loud a telephone is to be.
type urgent struct {
	ntfy   int // 1 to 5; 3 is usual
	gotify int // 0 to 10; from 8 on it wakes people up
	tag    string
}

func urgency(event string) urgent {
	switch event {
	case "batlow", "commit":
		return urgent{5, 10, "rotating_light"}
	case "fail", "grace":
		return urgent{4, 8, "electric_plug"}
	case "problem":
		return urgent{4, 8, "warning"}
	case "ok", "cancel", "clear":
		return urgent{3, 5, "white_check_mark"}
	default:
		return urgent{3, 5, "memo"}
	}
}
