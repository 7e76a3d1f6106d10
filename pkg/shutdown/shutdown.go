package shutdown

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNoCancel says that a method has nothing by which a power-off that it asked
// for could be taken back: if the system accepts it, the machine goes down.
var ErrNoCancel = errors.New("cannot take the power-off back: this method has no way to")

// Executor is one way to power this machine off.
type Executor interface {
	// String returns the method's name.
	String() string
	// Check reports whether PowerOff would be accepted now, as far as can be told
	// without doing it. The error says what to do.
	Check(ctx context.Context) error
	// PowerOff asks for it. Nil means that the system accepted.
	PowerOff(ctx context.Context) error
	// Cancel takes it back where there is a way, else returns [ErrNoCancel].
	Cancel(ctx context.Context) error
}

// The methods' names, as the configuration has them.
const (
	MethodLogind    = "logind"
	MethodSystemctl = "systemctl"
	MethodSysVInit  = "sysvinit"
	MethodCommand   = "command"
	MethodNone      = "none"
)

// Methods returns the names that [New] knows.
func Methods() []string {
	return []string{MethodLogind, MethodSystemctl, MethodSysVInit, MethodCommand, MethodNone}
}

// New returns the executor of that name. argv is for "command" only.
func New(method string, argv []string) (Executor, error) {
	switch method {
	case MethodLogind:
		return Logind(), nil
	case MethodSystemctl:
		return Systemctl(), nil
	case MethodSysVInit:
		return SysVInit(), nil
	case MethodCommand:
		if len(argv) == 0 || argv[0] == "" {
			return nil, errors.New(`cannot use the shutdown method "command": no command given`)
		}
		return Command(argv), nil
	case MethodNone:
		return None(), nil
	default:
		return nil, fmt.Errorf("cannot use the shutdown method %q: not one of %s", method, strings.Join(Methods(), ", "))
	}
}

// None returns the dry run: every power-off is accepted at once and nothing
// happens.
func None() Executor { return none{} }

type none struct{}

func (none) String() string                 { return MethodNone }
func (none) Check(context.Context) error    { return nil }
func (none) PowerOff(context.Context) error { return nil }
func (none) Cancel(context.Context) error   { return nil }
