package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrOtherCA is the error for an export that would overwrite another rack's CA.
var ErrOtherCA = errors.New("this master has a CA with members of its own; a master that takes over must be a fresh one")

// Import lets the master whose folder dir is take over a rack: it puts the CA, the
// roster and the list of removed keys of an export there, for [OpenAuthority] to
// open, and returns the name that the rack's master had. The master's own key is a
// new one, or stays; no node notices. What is in dir may be nothing, a CA that has
// no member and never removed one, which is given up, or the same CA: then the
// export only adds, and nobody who was removed comes back. Anything else is
// [ErrOtherCA] and stays untouched, as it does with a wrong passphrase or file.
//
// No master may run on dir meanwhile; one that runs has [Authority.Import]. A crash
// in the middle leaves what OpenAuthority refuses and the same Import completes.
func Import(dir, passphrase string, data []byte) (rack string, err error) {
	b, err := readExport(passphrase, data)
	if err != nil {
		return "", err
	}
	if err := b.install(dir); err != nil {
		return "", fmt.Errorf("cannot import the CA: %w", err)
	}
	return b.Rack, nil
}

// Import is the same for a master that runs. It returns the Authority that takes
// a's place; every later change of a is [ErrRetired], and the master has to serve
// with the new one's ServerTLS. Unless the error says otherwise nothing has changed.
func (a *Authority) Import(passphrase string, data []byte) (*Authority, error) {
	b, err := readExport(passphrase, data) // slow: nobody waits meanwhile
	if err != nil {
		return nil, err
	}
	if err := a.takeTurn(); err != nil {
		return nil, fmt.Errorf("cannot import the CA: %w", err)
	}
	defer func() { <-a.turn }()
	if err := b.install(a.dir); err != nil {
		return nil, fmt.Errorf("cannot import the CA: %w", err)
	}
	a.retired = true
	next, err := OpenAuthority(a.dir, a.id.Name())
	if err != nil {
		return nil, fmt.Errorf("the CA was imported, but can't be used before the master is restarted: %w", err)
	}
	next.cut.Store(a.cut.Load())
	return next, nil
}

func readExport(passphrase string, data []byte) (*backup, error) {
	s, err := parseExport(data)
	var b *backup
	if err == nil {
		b, err = s.open(passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot import the CA: %w", err)
	}
	return b, nil
}

// install writes b into dir.
func (b *backup) install(dir string) error {
	if err := secureDir(dir); err != nil {
		return err
	}
	steps, err := b.steps(dir)
	for _, step := range steps {
		if err == nil {
			err = step()
		}
	}
	return err
}

// steps returns what has to be done in dir, one file at a time. The order matters:
// after each step dir is as before, or OpenAuthority refuses it loudly, or it is
// done. A CA without its roster, which would pass for a first start, never lies there.
func (b *backup) steps(dir string) ([]func() error, error) {
	own, err := b.look(dir)
	if err != nil {
		return nil, err
	}
	var steps []func() error
	if own.foreign {
		steps = append(steps, func() error {
			if err := os.Remove(filepath.Join(dir, masterFile)); err != nil {
				return fmt.Errorf("cannot give up the master's old key: %w", err)
			}
			return nil
		})
	}
	return append(steps,
		func() error { return saveRoster(filepath.Join(dir, rosterFile), b.merge(own.roster), b.key) },
		func() error { return bundle{key: b.key, cert: b.ca}.save(filepath.Join(dir, caFile)) },
	), nil
}

// inPlace is what a folder holds before an import.
type inPlace struct {
	roster  *roster // of the same CA; empty if there is none
	foreign bool    // the master's key has another CA's certificate, which is given up
}

// look says whether b may be written into dir.
func (b *backup) look(dir string) (inPlace, error) {
	own := inPlace{roster: &roster{}}
	master, err := loadBundle(filepath.Join(dir, masterFile), 1)
	served := err == nil
	if err != nil && !missing(err) {
		return own, err
	}
	if served {
		p, err := verify(b.ca, []*x509.Certificate{master.cert})
		own.foreign = err != nil || p.Role != RoleMaster
	}
	ca, err := loadBundle(filepath.Join(dir, caFile), 1)
	if err != nil && !missing(err) {
		return own, err
	}
	same := err == nil && ca.cert.Equal(b.ca)
	other := err == nil && !same

	path := filepath.Join(dir, rosterFile)
	r, err := loadRoster(path, b.key.Public().(ed25519.PublicKey))
	switch {
	case err == nil: // of this CA: its own, or an import's that was cut short
		own.roster = r
		return own, nil
	case missing(err) && other && served: // lost: who knows who lives by that CA
		return own, ErrOtherCA
	case missing(err), errors.Is(err, ErrCorrupt) && same: // this is what exports are for
		return own, nil
	case !errors.Is(err, ErrCorrupt):
		return own, err
	case other: // a fresh master's CA goes only as long as nobody lives by it
		r, err = loadRoster(path, ca.key.Public().(ed25519.PublicKey))
		if err == nil && len(r.Members)+len(r.Removed) == 0 {
			return own, nil
		}
	}
	return own, ErrOtherCA
}
