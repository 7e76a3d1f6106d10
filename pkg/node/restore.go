package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// restoreWait bounds the reading of the state file at the start: a disk that
// hangs must not keep this machine from hearing of an outage.
const restoreWait = time.Second

// restore goes on where a crashed driver of this boot was. Another boot's state,
// or a damaged one, is worth nothing.
func (d *Driver) restore(ctx context.Context) {
	if d.o.State == nil {
		return
	}
	type result struct {
		raw json.RawMessage
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.err = d.o.State.Load(&r.raw)
		done <- r
	}()
	t := time.NewTimer(restoreWait)
	defer t.Stop()
	var r result
	select {
	case r = <-done:
	case <-t.C:
		r.err = errors.New("the disk does not answer")
	case <-ctx.Done():
		return
	}
	switch {
	case errors.Is(r.err, os.ErrNotExist):
	case r.err != nil:
		d.o.Log.Warn("the state file is ignored: this node begins anew", "err", r.err)
	default:
		d.adopt(r.raw)
	}
}

// adopt takes over what a state file holds.
func (d *Driver) adopt(raw []byte) {
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		d.o.Log.Warn("the state file is ignored: this node begins anew", "err", err)
		return
	}
	if k.Boot != d.o.BootID {
		d.o.Log.Info("the state file is of another boot: this node begins anew")
		return
	}
	if d.measured = min(max(0, k.StopTime), stopMost); d.measured > 0 {
		d.m = policy.NewMachine(d.config())
	}
	for _, a := range d.m.Restore(d.o.Now(), k.Machine) {
		d.act(a)
	}
	v := d.m.View()
	d.o.Log.Info("going on where this node was", "node", d.o.Name, "phase", v.Phase.String(), "reason", v.Reason)
}
