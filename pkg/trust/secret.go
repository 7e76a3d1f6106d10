package trust

import (
	"fmt"
	"io"
	"log/slog"
)

// Nothing that holds a secret shows it unless it is asked to by name: a %v in a
// forgotten log line must not give a rack away.

// LogValue keeps the secret out of logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(tokenPrefix + "(secret)") }

// Format keeps the secret out of formatted text; [Token.String] tells it.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, tokenPrefix+"(secret)") }

// String returns the role and the name: "node web1".
func (id Identity) String() string { return id.Role().String() + " " + id.Name() }

// LogValue keeps the key out of logs.
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.String()) }

// Format keeps the key out of formatted text.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, id.String()) }

// String names the rack's master: "the CA of rack1".
func (a *Authority) String() string { return "the CA of " + a.id.Name() }

// LogValue keeps the keys out of logs.
func (a *Authority) LogValue() slog.Value { return slog.StringValue(a.String()) }

// Format keeps the keys out of formatted text.
func (a *Authority) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }
