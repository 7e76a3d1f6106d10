package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master"
)

// How often and how long a starting master is asked.
const (
	lookAgain = 500 * time.Millisecond
	lookFor   = time.Minute
	askLimit  = 5 * time.Second
)

// write shows the file, asks, and writes it.
func (w *wizard) write(ctx context.Context) error {
	text := w.plan.text()
	if _, err := master.ParseConfig(w.o.Config, []byte(text)); err != nil {
		return fmt.Errorf("the answers don't make a good file:\n%w", err)
	}
	w.t.gap()
	w.t.say("This is what %s will say:", w.o.Config)
	w.t.gap()
	for l := range strings.Lines(text) {
		fmt.Fprintf(w.t.out, "    %s", l)
	}
	w.t.gap()
	if string(w.there.text) == text {
		w.t.say("It says so already.")
		w.written = true
		return nil
	}
	what := "Write it?"
	if w.service() {
		what = "Write it, and start the service?"
	}
	ok, err := w.t.confirm(ctx, what, "whether to write "+w.o.Config, "--yes", w.o.Yes, "y")
	if err != nil {
		return err
	}
	if !ok || !w.o.Terminal && !w.o.Yes {
		if !w.o.Terminal {
			return &MissingError{"whether to write " + w.o.Config, "--yes"}
		}
		return errors.New("stopped; nothing was written")
	}
	if w.there.changedSince() {
		return fmt.Errorf("%s was changed by somebody else meanwhile; nothing was written, begin again", w.o.Config)
	}
	if err := w.there.save(text); err != nil {
		return err
	}
	w.written = true
	w.t.say("%s is written.", w.o.Config)
	if w.there.text != nil {
		w.t.say("The old one is %s.", w.there.keep)
	}
	return nil
}

// service reports whether there is a service that reads this file.
func (w *wizard) service() bool {
	return w.o.Systemd && !w.o.NoService && w.o.Config == unitConfig
}

// start brings the service up, waits until it protects, and says how others join.
func (w *wizard) start(ctx context.Context) error {
	w.t.gap()
	if !w.service() {
		w.t.say("Start the master with: %s", w.startHint())
		w.t.say("Then `upsctl status` says what it sees, and `upsctl token create` lets the next machine join.")
		return nil
	}
	verbs := [][]string{{"enable", "--now", unit}}
	if w.running != nil {
		verbs = [][]string{{"enable", unit}, {"restart", unit}}
	}
	for _, v := range verbs {
		w.t.say("systemctl %s", strings.Join(v, " "))
		if said, err := w.o.Run(ctx, append([]string{"systemctl"}, v...)...); err != nil {
			return fmt.Errorf("the file is written, but the service does not start: %w\n%s\nsee: journalctl -u %s", err, strings.TrimSpace(said), unit)
		}
	}
	m := w.o.Master(w.plan.socket())
	if err := w.awaitOK(ctx, m); err != nil {
		return err
	}
	token, ttl, err := m.Token(ctx)
	if err != nil {
		return fmt.Errorf("this machine is protected, but there is no token for the next one yet: %w; ask for one with: upsctl token create", err)
	}
	w.t.gap()
	if w.plan.port == master.SimPort {
		w.t.say("This UPS is pretended, so nobody is protected; play it with upsctl sim, and set obey_sim where a machine is to obey it. On the next machine run within %s:", ttl)
	} else {
		w.t.say("This machine is protected. On the next one that lives on this UPS, install Lastwatt and run within %s:", ttl)
	}
	w.t.gap()
	fmt.Fprintf(w.t.out, "upsagent join %s\n", harmless(token))
	w.t.gap()
	w.t.say("Each machine needs a token of its own: upsctl token create. What is still weak: upsctl status, and upsctl doctor.")
	return nil
}

// awaitOK waits until the master says that every UPS is on mains, telling what it says
// meanwhile.
func (w *wizard) awaitOK(ctx context.Context, m Master) error {
	deadline := time.NewTimer(lookFor)
	defer deadline.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	last := ""
	for {
		views, err := m.Look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now := "no answer yet"
		if err == nil {
			now = fmt.Sprint(views)
		}
		if err == nil && now != last {
			w.t.say("The master says:")
			w.tell(views)
		}
		last = now
		if err == nil && allOK(views) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		case <-deadline.C:
			if err != nil {
				return fmt.Errorf("the service was started, but does not answer: %w; see: journalctl -u %s", err, unit)
			}
			return errors.New("the service runs, but does not say that the UPS is on mains; if it should, the cable or the port is another one: look with `upsctl status`, or run setup again")
		}
	}
}

func allOK(views []View) bool {
	for _, v := range views {
		if v.State != "OK" {
			return false
		}
	}
	return len(views) > 0
}

// localMaster asks a master through its socket.
type localMaster struct{ socket string }

// LocalMaster returns the master whose socket is at path.
func LocalMaster(path string) Master { return localMaster{path} }

// ask hangs up after one question.
func (m localMaster) ask(ctx context.Context, question func(context.Context, *grpc.ClientConn) error) error {
	conn, err := api.DialLocal(m.socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if err := question(ctx, conn); err != nil {
		return errors.New(api.Message(err))
	}
	return nil
}

// Look implements [Master].
func (m localMaster) Look(ctx context.Context) (views []View, err error) {
	err = m.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := upsv1.NewPowerServiceClient(conn).GetStatus(ctx, &upsv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		for _, one := range resp.GetMasters() {
			for _, u := range one.GetUps() {
				views = append(views, View{
					Name: u.GetName(), State: api.ToStatus(u.GetStatus()).String(), Cable: u.GetCable(),
					Reason: u.GetReason(), Lines: u.GetLines(),
				})
			}
		}
		return nil
	})
	return views, err
}

// Token implements [Master].
func (m localMaster) Token(ctx context.Context) (token string, ttl time.Duration, err error) {
	err = m.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := upsv1.NewControlServiceClient(conn).CreateToken(ctx, &upsv1.CreateTokenRequest{Role: upsv1.Role_ROLE_NODE})
		token, ttl = resp.GetToken(), resp.GetTtl().AsDuration()
		return err
	})
	return token, ttl, err
}
