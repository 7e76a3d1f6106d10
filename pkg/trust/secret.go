package trust

import (
	"fmt"
	"io"
)

// Nothing that holds a secret shows it unless it is asked to by name: a %v in a
// forgotten log line must not give a rack away. Format is for fmt and for slog's
// text, MarshalText for JSON, at any depth.

// Format keeps the secret out of formatted text; [Token.String] tells it.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, tokenPrefix+"(secret)") }

// MarshalText keeps the secret out of JSON.
func (t Token) MarshalText() ([]byte, error) { return []byte(tokenPrefix + "(secret)"), nil }

// String returns the role and the name: "node web1".
func (id Identity) String() string { return id.Role().String() + " " + id.Name() }

// Format keeps the key out of formatted text.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, id.String()) }

// MarshalText keeps the key out of JSON.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// String names the rack's master: "the CA of rack1".
func (a *Authority) String() string { return "the CA of " + a.id.Name() }

// Format keeps the keys out of formatted text.
func (a *Authority) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }
