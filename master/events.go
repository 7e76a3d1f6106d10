package master

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// eventRecord is the name of an [event] in the journal.
const eventRecord = "event"

// event is what happened, for people: on what, of which kind, in words.
type event struct {
	On   string `json:"on"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// events writes what happens to the journal and the log.
type events struct {
	journal *journal.Writer
	now     func() power.Uptime
	boot    string
	log     *slog.Logger
}

// add never blocks: the journal takes it or says that it can't.
func (e *events) add(on, kind, text string) {
	e.log.Info(kind, "on", on, "text", text)
	e.journal.Record(eventRecord, event{On: on, Kind: kind, Text: text})
}

// stream sends the newest events and, if asked to follow, each new one until ctx
// ends.
func (e *events) stream(ctx context.Context, last int, follow bool, send func(*upsv1.StreamEventsResponse) error) error {
	err := e.journal.Follow(ctx, last, follow, func(entry journal.Entry) error {
		var ev event
		if entry.Name != eventRecord || json.Unmarshal(entry.Data, &ev) != nil {
			return nil // another kind of record, not for here
		}
		out := &upsv1.StreamEventsResponse{
			Seq: entry.Seq, Wall: entry.Wall.Format(time.RFC3339), On: ev.On, Kind: ev.Kind, Text: ev.Text,
		}
		if entry.Boot == e.boot { // another boot's uptimes are not comparable
			out.Age = durationpb.New(max(0, e.now().Sub(power.Uptime(entry.At))))
		}
		return send(out)
	})
	if ctx.Err() != nil {
		return nil // the reader left
	}
	return err
}
