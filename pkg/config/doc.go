// Package config reads strict TOML and can say where everything stands. It hides
// the TOML library: a caller asks a [Table] for the keys it knows, with default
// and bounds, and at the end asks the [Doc] for everything that is wrong, each
// with file, line, column, key and what to write instead.
//
// Strictness is structural: a key that nobody asked for is an error, so there is
// no second list of keys that could be forgotten. The package itself knows no key.
//
// Once all is asked for, a Doc can also say what it understood: [Doc.Effective].
// [Files] is such a file in the life of a daemon, and the copy of its last version
// that ran well.
//
// A Doc and its Tables have one owner and are not safe for concurrent use.
// The package follows no includes, expands no variables, and does not guess what a
// wrong value may have meant.
package config
