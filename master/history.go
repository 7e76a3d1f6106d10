package master

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

const (
	// historyLimit is how long reading the journal for somebody may take; a full one
	// takes about a second, some on a small board.
	historyLimit = 20 * time.Second
	// historyBytes bounds an answer; a message on the wire has 4 MiB.
	historyBytes = 3 << 20
	// idsTold is how many ids an error names.
	idsTold = 5
)

func (m *Master) journalPath() string { return filepath.Join(m.cfg.Data, "journal.jsonl") }

func (m *Master) upsNames() (names []string) {
	for _, u := range m.cfg.UPS {
		names = append(names, u.Name)
	}
	return names
}

// GetHistory tells the stories of outages, the newest first, as the journal on disk
// has them. One reads at a time.
func (s controlService) GetHistory(ctx context.Context, req *upsv1.GetHistoryRequest) (*upsv1.GetHistoryResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, historyLimit)
	defer cancel()
	select {
	case s.m.history <- struct{}{}:
		defer func() { <-s.m.history }()
	case <-ctx.Done():
		return nil, api.Error(codes.DeadlineExceeded, errors.New("somebody else is reading the journal; try again"))
	}
	all, warning, err := s.m.readOutages(ctx, history.NewFold(s.m.cfg.Name, time.Local))
	if err != nil {
		return nil, err
	}
	if id := req.GetOutage(); id != "" {
		if all, err = pickOutage(all, id); err != nil {
			return nil, err
		}
	} else if n := int(req.GetLast()); n > 0 && n < len(all) {
		all = all[:n]
	}
	return answerHistory(all, warning), nil
}

// readOutages folds the journal on disk: outages, newest first, and what of it could
// not be read.
func (m *Master) readOutages(ctx context.Context, f *history.Fold) (all []*history.Outage, warning string, err error) {
	err = m.journal.Read(func(e journal.Entry) error {
		f.Add(e)
		return ctx.Err()
	})
	switch {
	case ctx.Err() != nil:
		return nil, "", api.Error(codes.DeadlineExceeded, fmt.Errorf("reading the journal takes too long; look at %s and its disk", m.journalPath()))
	case err != nil:
		warning = err.Error()
	}
	all = f.Outages()
	slices.Reverse(all)
	return all, warning, nil
}

// pickOutage returns the one whose id is or begins with id.
func pickOutage(all []*history.Outage, id string) ([]*history.Outage, error) {
	var fit []*history.Outage
	var names []string
	for _, o := range all {
		if o.ID == id {
			return []*history.Outage{o}, nil
		}
		if strings.HasPrefix(o.ID, id) {
			fit = append(fit, o)
		}
		if len(names) < idsTold {
			names = append(names, o.ID)
		}
	}
	switch {
	case len(fit) == 1:
		return fit, nil
	case len(fit) > 1:
		return nil, api.Error(codes.InvalidArgument, fmt.Errorf("%d outages begin with %q, %s and %s among them; write more of it", len(fit), id, fit[0].ID, fit[1].ID))
	case len(all) == 0:
		return nil, api.Error(codes.NotFound, fmt.Errorf("there is no outage %q, nor any other", id))
	default:
		return nil, api.Error(codes.NotFound, fmt.Errorf("there is no outage %q; the newest are %s", id, strings.Join(names, ", ")))
	}
}

// answerHistory returns the stories for the wire, as many as fit.
func answerHistory(all []*history.Outage, warning string) *upsv1.GetHistoryResponse {
	out := &upsv1.GetHistoryResponse{Warning: warning}
	size := 0
	for i, o := range all {
		r := reportOf(o.Story())
		if size += proto.Size(r); size > historyBytes {
			more := fmt.Sprintf("the oldest %d of %d outages are left out: the answer would be too large", len(all)-i, len(all))
			out.Warning = strings.TrimPrefix(out.Warning+"; "+more, "; ")
			break
		}
		out.Outages = append(out.Outages, r)
	}
	return out
}

func reportOf(s history.Story) *upsv1.OutageReport {
	r := &upsv1.OutageReport{
		Outage: s.ID, Ups: s.UPS, Began: s.Began.Format(time.RFC3339), Sim: s.Pretended, GoingOn: s.GoingOn,
		Lasted: span(s.Lasted), LowAfter: span(s.LowAfter), MasterOff: span(s.MasterOff), Summary: s.Summary,
	}
	for _, n := range s.Nodes {
		r.Nodes = append(r.Nodes, &upsv1.NodeStory{
			Name: n.Name, Absent: n.Absent, Note: n.Note, Went: n.Went,
			Committed: span(n.Committed), Accepted: span(n.Accepted), Down: span(n.Down), Back: span(n.Back), Lost: span(n.Lost),
		})
	}
	return r
}

// span is absent where d is.
func span(d *time.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(*d)
}
