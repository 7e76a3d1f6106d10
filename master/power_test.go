package master

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// heardStream is an agent that takes whatever it is sent and says nothing.
type heardStream struct {
	grpc.BidiStreamingServer[upsv1.AttachRequest, upsv1.AttachResponse]
	sent []*upsv1.AttachResponse
}

func (s *heardStream) Send(r *upsv1.AttachResponse) error {
	s.sent = append(s.sent, r)
	return nil
}

// TestAStreamEnds: when, and with which last word.
func TestAStreamEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end     func(h *hub, sess *session, stopping chan struct{})
		after   time.Duration
		want    codes.Code
		goodbye bool
	}{
		// On a UPS that is not OK, where the tempo is half a second.
		"its node went silent":   {func(*hub, *session, chan struct{}) {}, 2500 * time.Millisecond, codes.DeadlineExceeded, false},
		"a newer one came":       {func(h *hub, _ *session, _ chan struct{}) { attached(h, "web1", "b") }, 0, codes.Aborted, false},
		"its node was removed":   {func(h *hub, _ *session, _ chan struct{}) { h.remove("web1") }, 0, codes.PermissionDenied, false},
		"the master says adieu":  {func(_ *hub, _ *session, stopping chan struct{}) { close(stopping) }, 0, codes.OK, true},
		"somebody else took off": {func(h *hub, _ *session, _ chan struct{}) { h.remove("web2") }, 2500 * time.Millisecond, codes.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				h := newHub(func() power.Uptime { return power.Uptime(time.Since(start)) }, func(history.Event) {})
				h.addUPS("main", "nut-7")
				sess := attached(h, "web1", "b")
				attached(h, "web2", "b")
				stopping, stream, ended := make(chan struct{}), &heardStream{}, make(chan error, 1)
				s := powerService{m: &Master{hub: h, cfg: Config{Name: "rack1"}}, stopping: stopping}
				go func() { ended <- s.serve(stream, sess, nil) }()
				synctest.Wait()
				tc.end(h, sess, stopping)
				err := <-ended
				if took := time.Since(start); status.Code(err) != tc.want || took != tc.after {
					t.Errorf("%v after %s, want %s after %s", err, took, tc.want, tc.after)
				}
				if last := stream.sent[len(stream.sent)-1]; last.GetGoodbye() != tc.goodbye || len(last.GetUps()) != 1 {
					t.Errorf("the last word is %v", last)
				}
			})
		})
	}
}
