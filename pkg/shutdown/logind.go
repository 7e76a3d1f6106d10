package shutdown

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// logindLimit bounds one whole call, from connecting to the answer. The answer
// comes as soon as the job is queued.
const logindLimit = 10 * time.Second

// The names of org.freedesktop.login1(5).
const (
	loginService = "org.freedesktop.login1"
	loginPath    = "/org/freedesktop/login1"
	loginManager = "org.freedesktop.login1.Manager"
)

// Logind returns the method "logind": PowerOff of systemd-logind over D-Bus. An
// error of logind's own is a [dbus.Error] to [errors.As].
func Logind() Executor { return logind{dial: dbus.SystemBusPrivate, limit: logindLimit, going: going} }

type logind struct {
	dial  func(...dbus.ConnOption) (*dbus.Conn, error)
	limit time.Duration
	going func(context.Context) bool // the system goes down already; nil: nobody can say
}

func (logind) String() string { return MethodLogind }

func (l logind) Check(ctx context.Context) error {
	var answer string
	if err := l.call(ctx, "CanPowerOff", &answer); err != nil {
		return fmt.Errorf("cannot ask logind whether it would power off: %w", err)
	}
	const rule = "run it as root, or allow org.freedesktop.login1.power-off to its user by a polkit rule"
	switch answer {
	case "yes":
		return nil
	case "no":
		return errors.New("logind does not let this daemon power off; " + rule)
	case "challenge":
		return errors.New("logind wants a password before it powers off; " + rule)
	case "na":
		return errors.New("logind cannot power this machine off; choose another [shutdown] method")
	default:
		return fmt.Errorf("logind would not power off now: it answers %q; see systemd-inhibit --list", answer)
	}
}

func (l logind) PowerOff(ctx context.Context) error {
	const interactive = false // there is nobody to type a password
	if err := l.call(ctx, "PowerOff", nil, interactive); err != nil && (l.going == nil || !l.going(ctx)) {
		return fmt.Errorf("cannot power off by logind: %w", err)
	}
	return nil
}

// Cancel: CancelScheduledShutdown takes back only what ScheduleShutdown asked
// for; a queued PowerOff is accepted, and nothing takes it back.
func (logind) Cancel(context.Context) error { return ErrNoCancel }

// call calls a method of the manager.
func (l logind) call(ctx context.Context, method string, result any, args ...any) error {
	return l.ask(ctx, method, func(ctx context.Context, manager dbus.BusObject) error {
		call := manager.CallWithContext(ctx, loginManager+"."+method, 0, args...)
		if call.Err != nil || result == nil {
			return call.Err
		}
		return call.Store(result)
	})
}

// ask lets question speak to the manager on a connection of its own, so that nobody
// else's trouble with the bus is ours. The bus may hang in any step, connecting
// included, hence the goroutine; it ends when the connection is closed under it.
func (l logind) ask(ctx context.Context, what string, question func(context.Context, dbus.BusObject) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel() // closes the connection too
	done := make(chan error, 1)
	go func() { done <- l.askNow(ctx, question) }()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			return l.late(ctx, what)
		}
		return err
	case <-ctx.Done():
		return l.late(ctx, what)
	}
}

func (l logind) late(ctx context.Context, method string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s: no answer for %s; is the system bus alive?", method, l.limit)
	}
	return fmt.Errorf("%s: %w", method, context.Cause(ctx))
}

func (l logind) askNow(ctx context.Context, question func(context.Context, dbus.BusObject) error) error {
	conn, err := l.dial(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("cannot connect to the system bus: %w", err)
	}
	defer conn.Close()
	if err := conn.Auth(nil); err != nil {
		return fmt.Errorf("cannot sign in at the system bus: %w", err)
	}
	if err := conn.Hello(); err != nil {
		return fmt.Errorf("cannot sign in at the system bus: %w", err)
	}
	err = question(ctx, conn.Object(loginService, loginPath))
	var typed dbus.Error
	if errors.As(err, &typed) {
		return fmt.Errorf("%s: %w", typed.Name, typed)
	}
	return err
}
