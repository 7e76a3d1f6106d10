// Package debian makes the trees that test machines run: a Debian by debootstrap, as root,
// once, kept in the user's cache folder. Runs side by side wait for one another there.
package debian
