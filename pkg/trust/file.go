package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile bounds what is read into memory: a roster of 10,000 members is 7 MB.
const maxFile = 16 << 20

// secureDir makes dir, mode 0700, or checks that the one that is there can't be
// written by others. Who can write the folder can replace any file in it.
func secureDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the folder: %w", err)
	}
	if st.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("cannot use %s: others may write it; run: chmod go-w %s", dir, dir)
	}
	return nil
}

// readSecret reads a file that must be a regular one, no symbolic link, and
// nobody else's business. A missing one is fs.ErrNotExist.
func readSecret(path string) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not hang the daemon (open(2)).
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|noFollow, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("cannot read %s: it is a symbolic link; put the file itself there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read: %w", err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("cannot read %s: it is not a regular file; move it away", path)
	case st.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("cannot trust %s: others may read or write it (mode %04o); if nobody did, run: chmod 600 %s", path, st.Mode().Perm(), path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("cannot read %s: it is larger than 16 MiB; restore it from a backup", path)
	}
	return b, nil
}

// writeSecret replaces path by data, wholly or not at all, mode 0600, and returns
// when it is on disk.
func writeSecret(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600 (os.CreateTemp)
	if err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("cannot write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The rename itself lasts only when the folder is on disk too (fsync(2)).
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// missing reports whether err says that a file isn't there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// bundle is one PEM file: a private key, its certificate, and the CA's, in one
// file so that they can't be torn apart by a crash. What is nil isn't there.
type bundle struct {
	key      ed25519.PrivateKey
	cert, ca *x509.Certificate
}

func (b bundle) save(path string) error {
	var out []byte
	if b.key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(b.key)
		if err != nil {
			return fmt.Errorf("cannot write the key: %w", err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})...)
	}
	for _, c := range []*x509.Certificate{b.cert, b.ca} {
		if c != nil {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: c.Raw})...)
		}
	}
	return writeSecret(path, out)
}

// The block types of RFC 7468.
const (
	pemKey  = "PRIVATE KEY"
	pemCert = "CERTIFICATE"
)

// loadBundle reads a key and exactly certs certificates (0, 1 or 2).
func loadBundle(path string, certs int) (bundle, error) {
	data, err := readSecret(path)
	if err != nil {
		return bundle{}, err
	}
	var b bundle
	var found []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case pemKey:
			k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			ed, ok := k.(ed25519.PrivateKey)
			if err != nil || !ok || b.key != nil {
				return bundle{}, corrupt(path)
			}
			b.key = ed
		case pemCert:
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return bundle{}, corrupt(path)
			}
			found = append(found, c)
		}
	}
	if b.key == nil || len(found) != certs {
		return bundle{}, corrupt(path)
	}
	if certs > 0 {
		b.cert = found[0]
		if pub, ok := b.cert.PublicKey.(ed25519.PublicKey); !ok || !pub.Equal(b.key.Public()) {
			return bundle{}, corrupt(path)
		}
	}
	if certs > 1 {
		b.ca = found[1]
	}
	return b, nil
}

// ErrCorrupt is the error for a file that is there and can't be believed.
var ErrCorrupt = errors.New("the file is damaged")

func corrupt(path string) error {
	return fmt.Errorf("cannot use %s: %w; restore it from a backup", path, ErrCorrupt)
}
