package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
)

// program runs a local program with the message on its standard input and in its
// environment. No shell takes part, and nothing of the message is an argument.
func (o *outside) program(ctx context.Context, t Target, n note) error {
	if o.run == nil {
		return errors.New("programs are not run here")
	}
	r := n.record()
	stdin, err := json.Marshal(r)
	if err != nil {
		return err
	}
	env := []string{
		"LASTWATT_FROM=" + r.From,
		"LASTWATT_EVENT=" + r.Event,
		"LASTWATT_ON=" + r.On,
		"LASTWATT_PROBLEM=" + r.Problem,
		"LASTWATT_TITLE=" + r.Title,
		"LASTWATT_TEXT=" + r.Text,
		"LASTWATT_TIME=" + r.Time,
		"LASTWATT_LATE=" + strconv.Itoa(r.Late),
	}
	return o.run(ctx, []string{t.url.Path}, env, string(stdin)+"\n")
}
