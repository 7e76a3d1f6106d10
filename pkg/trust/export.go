package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// The reasons why an export can't be made or read.
var (
	ErrPassphrase  = errors.New("the passphrase is wrong")
	ErrShortPhrase = errors.New("a passphrase has 8 letters or more")
	ErrNoExport    = errors.New("this is no file that `upsctl ca export` wrote, or a part of it is missing; copy it again")
)

const (
	minPhrase = 8 // NIST SP 800-63B §3.1.1.2
	// workFactor is scrypt's log2 N: 128 MiB and about half a second, once (OWASP
	// Password Storage Cheat Sheet). age's own default takes 256 MiB, which a small
	// board doesn't have to spare while it watches the power.
	workFactor = 17
	// maxWorkFactor bounds what a file may make Import spend.
	maxWorkFactor = 18
)

// backup is what an export holds: all that a master can't make anew, and no token.
type backup struct {
	Rack    string   `json:"rack"`
	Key     []byte   `json:"key"` // of the CA, PKCS #8
	CA      []byte   `json:"ca"`  // its certificate, DER
	Members []Member `json:"members"`
	Removed []string `json:"removed"`

	ca  *x509.Certificate
	key ed25519.PrivateKey
}

// Export returns the CA, the roster and the list of removed keys as a text file
// for [Import], encrypted with a passphrase in age's format. Its head, which anybody
// can read, names the rack and the CA's fingerprint.
//
// It takes 128 MiB for about half a second.
func (a *Authority) Export(passphrase string) ([]byte, error) {
	out, err := a.export(passphrase, workFactor)
	if err != nil {
		return nil, fmt.Errorf("cannot export the CA: %w", err)
	}
	return out, nil
}

func (a *Authority) export(passphrase string, work int) ([]byte, error) {
	if len(passphrase) < minPhrase {
		return nil, ErrShortPhrase
	}
	plain, err := a.backup()
	if err != nil {
		return nil, err
	}
	return seal(a.id.Name(), a.CA(), passphrase, work, plain)
}

func (a *Authority) backup() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(backup{Rack: a.id.Name(), Key: key, CA: a.ca.Raw, Members: a.Members(), Removed: a.Removed()})
}

// seal writes the head and the encrypted plain.
func seal(rack string, ca [sha256.Size]byte, passphrase string, work int, plain []byte) ([]byte, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(work)
	var body bytes.Buffer
	text := armor.NewWriter(&body)
	enc, err := age.Encrypt(text, to)
	if err != nil {
		return nil, err
	}
	_, err = enc.Write(plain)
	if err = errors.Join(err, enc.Close(), text.Close()); err != nil {
		return nil, err
	}
	head := fmt.Sprintf(exportHead, rack, hex.EncodeToString(ca[:]), sum(body.Bytes()))
	return append([]byte(head), body.Bytes()...), nil
}

// sum tells damage from a wrong passphrase, before it costs half a second.
func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}

// exportHead begins an export; what follows the empty line is age's.
const exportHead = "lastwatt ca export 1\nrack %s\nca %s\nsha256 %s\n\n"

var exportPattern = regexp.MustCompile(`^lastwatt ca export 1\nrack ([A-Za-z0-9._-]{1,63})\nca ([0-9a-f]{64})\nsha256 ([0-9a-f]{64})\n\n`)

// sealed is an export as anybody can read it.
type sealed struct {
	rack, ca string // as the head says, which is a hint and no more
	body     []byte
}

// parseExport takes an export apart. Line ends as a mail or an editor changes them
// do no harm; a letter that is missing does.
func parseExport(data []byte) (sealed, error) {
	if len(data) > maxFile {
		return sealed{}, ErrNoExport
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	m := exportPattern.FindSubmatch(data)
	if m == nil {
		return sealed{}, ErrNoExport
	}
	body := append(bytes.TrimSpace(data[len(m[0]):]), '\n')
	if sum(body) != string(m[3]) || CheckName(string(m[1])) != nil {
		return sealed{}, ErrNoExport
	}
	return sealed{rack: string(m[1]), ca: string(m[2]), body: body}, nil
}

// open decrypts an export and checks everything in it.
func (s sealed) open(passphrase string) (*backup, error) {
	if passphrase == "" {
		return nil, ErrPassphrase
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(s.body)), id)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoExport, err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoExport, err)
	}
	b, err := parseBackup(plain)
	if err != nil {
		return nil, err
	}
	// The head is not encrypted, but it is what people go by.
	if sum(b.CA) != s.ca || b.Rack != s.rack {
		return nil, fmt.Errorf("%w (its head is of another rack)", ErrNoExport)
	}
	return b, nil
}

// parseBackup believes nothing that the CA in it doesn't vouch for.
func parseBackup(plain []byte) (*backup, error) {
	b := &backup{}
	if err := json.Unmarshal(plain, b); err != nil {
		return nil, fmt.Errorf("%w (its content is no JSON)", ErrNoExport)
	}
	key, err := x509.ParsePKCS8PrivateKey(b.Key)
	ed, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w (no key of a CA)", ErrNoExport)
	}
	ca, err := x509.ParseCertificate(b.CA)
	if err != nil || ca.CheckSignatureFrom(ca) != nil || !ed.Public().(ed25519.PublicKey).Equal(ca.PublicKey) {
		return nil, fmt.Errorf("%w (no certificate of the CA)", ErrNoExport)
	}
	b.ca, b.key = ca, ed
	if _, _, err := (Removed{}).With(b.Removed); err != nil {
		return nil, fmt.Errorf("%w (its list of removed keys)", ErrNoExport)
	}
	r := &roster{Removed: union(b.Removed, nil)}
	for _, m := range b.Members {
		cert, err := x509.ParseCertificate(m.Certificate)
		if err != nil {
			return nil, fmt.Errorf("%w (a member's certificate)", ErrNoExport)
		}
		p, err := verify(ca, []*x509.Certificate{cert})
		_, twice := r.member(m.Name)
		_, owned := r.owner(m.Fingerprint)
		if err != nil || p != (Peer{m.Name, m.Role, m.Fingerprint}) || p.Role == RoleMaster || twice || owned || r.removed(p.Fingerprint) {
			return nil, fmt.Errorf("%w (a member that is not the CA's)", ErrNoExport)
		}
		r.setMember(m)
	}
	b.Members, b.Removed = r.Members, r.Removed
	return b, nil
}

// merge adds what an export knows to a roster of the same CA. What the roster says
// is newer: nobody who was removed comes back, no replaced key either.
func (b *backup) merge(r *roster) *roster {
	next := r.copy()
	next.Removed = union(next.Removed, b.Removed)
	next.Members = slices.DeleteFunc(next.Members, func(m Member) bool { return next.removed(m.Fingerprint) })
	for _, m := range b.Members {
		_, taken := next.member(m.Name)
		_, owned := next.owner(m.Fingerprint)
		if !taken && !owned && !next.removed(m.Fingerprint) {
			next.setMember(m)
		}
	}
	return next
}

// ExportOf returns the names in an export's head: the rack and its CA's fingerprint.
// They are a hint, for people: only Import, which has the passphrase, proves them.
func ExportOf(data []byte) (rack, ca string, err error) {
	s, err := parseExport(data)
	return s.rack, s.ca, err
}
