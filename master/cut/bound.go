package cut

import (
	"errors"
	"fmt"
	"time"
)

// errHangs: whoever was asked has not answered in time, and maybe never will.
var errHangs = errors.New("no answer")

// outcome is what a call came to.
type outcome[T any] struct {
	v   T
	err error
}

// begin runs f beside its caller. Its outcome comes when it ends, which is never if it
// hangs in the kernel: that can't be ended, only left behind. A panic is an error.
func begin[T any](f func() (T, error)) <-chan outcome[T] {
	c := make(chan outcome[T], 1)
	go func() {
		var o outcome[T]
		defer func() {
			if p := recover(); p != nil {
				o.err = fmt.Errorf("a fault of this program: %v", p)
			}
			c <- o
		}()
		o.v, o.err = f()
	}()
	return c
}

// await waits so long for what was begun.
func await[T any](c <-chan outcome[T], limit time.Duration) (o outcome[T], ended bool) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case o = <-c:
		return o, true
	case <-t.C:
		return o, false
	}
}

// Bounded runs f and waits for it no longer than limit; what takes longer is left
// behind. So late in a shutdown a disk may hang that is not there any more.
func Bounded[T any](limit time.Duration, f func() (T, error)) (T, error) {
	o, ended := await(begin(f), limit)
	if !ended {
		return o.v, fmt.Errorf("%w for %v", errHangs, limit)
	}
	return o.v, o.err
}

// bounded is Bounded for what returns an error only.
func bounded(limit time.Duration, f func() error) error {
	_, err := Bounded(limit, func() (struct{}, error) { return struct{}{}, f() })
	return err
}
