package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func newest(t *testing.T, w *Writer, n int) []Entry {
	t.Helper()
	var all []Entry
	if err := w.Follow(context.Background(), n, false, func(e Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFollowersSeeTheOldAndTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		write(t, d.path, 41, 42)
		w, stop := running(t, d)
		defer stop()
		took(w.Record("new", 1))
		if got := names(newest(t, w, 2)); got != "2 kind-0, 3 new" {
			t.Errorf("got %s", got)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var mu sync.Mutex
		var seen []Entry
		done := make(chan error, 1)
		go func() {
			done <- w.Follow(ctx, 1, true, func(e Entry) error {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, e)
				return nil
			})
		}()
		synctest.Wait()
		took(w.Record("next", 2))
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(seen) != 2 || seen[0].Name != "new" || seen[1].Name != "next" {
			t.Errorf("followed %v", names(seen))
		}
	})
}

func names(all []Entry) string {
	var s []string
	for _, e := range all {
		s = append(s, fmt.Sprintf("%d %s", e.Seq, e.Name))
	}
	return strings.Join(s, ", ")
}

func TestASlowFollowerHoldsNobodyAndMissesTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t)
		w, stop := running(t, d)
		defer stop()
		took(w.Record("first", 0))
		open, enough := make(chan struct{}), errors.New("enough")
		var seen []Entry
		done := make(chan error, 1)
		go func() {
			done <- w.Follow(context.Background(), 1, true, func(e Entry) error {
				<-open
				if seen = append(seen, e); e.Name == "last" {
					return enough
				}
				return nil
			})
		}()
		synctest.Wait()
		for i := range 3 * ringSize {
			if k := took(w.Record("more", i)); k != 0 {
				t.Fatalf("record %d waited %s", i, k)
			}
		}
		took(w.Record("last", 0))
		close(open)
		if err := <-done; !errors.Is(err, enough) {
			t.Error(err)
		}
		if n := len(seen); n < ringSize || n > 2*ringSize || seen[0].Name != "first" || seen[n-1].Name != "last" {
			t.Errorf("it saw %d", n)
		}
	})
}
