package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// minPassphrase is the least number of characters: whoever has the file can try as
// many as he likes.
const minPassphrase = 12

// passphraseEnv is where a script puts it.
const passphraseEnv = "LASTWATT_PASSPHRASE"

func (c *cli) caCmd() *cobra.Command {
	const how = "The passphrase is typed on the terminal, or comes in " + passphraseEnv + ", or else as the\nfirst line of standard input."
	export := &cobra.Command{
		Use: "export [FILE]", Short: "the rack's CA and roster, encrypted, for a master in its place",
		Long: "Writes the rack's CA and roster, encrypted, to FILE or to standard output.\n" + how,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pass, err := c.passphrase(true)
			if err != nil {
				return err
			}
			return c.exportCA(cmd.Context(), args, pass)
		},
	}
	imp := &cobra.Command{
		Use: "import [FILE]", Short: "make this master take another's place: its CA and roster",
		Long: "Makes the master on this machine, which nobody may have joined yet, take the\nplace of the one that FILE, or standard input, is from. The nodes notice nothing.\n" + how,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && c.env(passphraseEnv) == "" {
				return usageError{"the passphrase and the CA can't both come on standard input", "write upsctl ca import FILE, or set " + passphraseEnv}
			}
			pass, err := c.passphrase(false)
			if err != nil {
				return err
			}
			return c.importCA(cmd.Context(), args, pass)
		},
	}
	return group("ca", "the rack's certificate authority", export, imp)
}

func (c *cli) exportCA(ctx context.Context, file []string, pass string) error {
	var data []byte
	get := func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := upsv1.NewControlServiceClient(conn).ExportTrust(ctx, &upsv1.ExportTrustRequest{Passphrase: pass})
		data = r.GetExport()
		return err
	}
	if err := c.ask(ctx, "export the CA", get); err != nil {
		return err
	}
	if len(file) == 0 {
		_, err := c.out.Write(data)
		return err
	}
	// Never over something: it could be another rack's.
	f, err := os.OpenFile(file[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the CA: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(file[0])
		return fmt.Errorf("cannot write the CA: %w", err)
	}
	fmt.Fprintf(c.err, "%s has the rack's CA; keep it and its passphrase apart\n", clean(file[0]))
	return nil
}

// maxCA is the largest file that is read: a roster of thousands has some MiB.
const maxCA = 64 << 20

func (c *cli) importCA(ctx context.Context, file []string, pass string) error {
	in := c.in
	if len(file) == 1 {
		f, err := os.Open(file[0])
		if err != nil {
			return fmt.Errorf("cannot read the CA: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCA))
	if err != nil {
		return fmt.Errorf("cannot read the CA: %w", err)
	}
	return c.ask(ctx, "import the CA", func(ctx context.Context, conn *grpc.ClientConn) error {
		r, err := upsv1.NewControlServiceClient(conn).ImportTrust(ctx, &upsv1.ImportTrustRequest{Export: data, Passphrase: pass})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "this master has taken over a rack of %d members\n", r.GetMembers())
		return nil
	})
}

// passphrase gets one as the verbs say; a new one that is typed is typed twice.
func (c *cli) passphrase(fresh bool) (string, error) {
	pass := c.env(passphraseEnv)
	if pass == "" {
		typed, err := c.typed(fresh)
		if err != nil {
			return "", err
		}
		pass = typed
	}
	if fresh && len([]rune(pass)) < minPassphrase {
		return "", usageError{"that passphrase is too short: whoever has the file could guess it", fmt.Sprintf("take %d characters at least", minPassphrase)}
	}
	return pass, nil
}

// typed reads a passphrase from standard input; nothing of it is shown.
func (c *cli) typed(twice bool) (string, error) {
	if !c.inTTY {
		return readLine(c.in)
	}
	restore, err := c.raw()
	if err != nil {
		return "", fmt.Errorf("cannot keep the terminal from showing what is typed: %w", err)
	}
	defer restore()
	ask := func(prompt string) (string, error) {
		fmt.Fprint(c.err, prompt)
		line, err := readLine(c.in)
		fmt.Fprint(c.err, "\r\n")
		return line, err
	}
	first, err := ask("passphrase: ")
	if err != nil || !twice {
		return first, err
	}
	again, err := ask("once more: ")
	if err == nil && again != first {
		err = errors.New("the two are not the same; nothing was written")
	}
	return first, err
}

// readLine reads to the end of the line and not a byte further. The terminal may be
// raw: it edits nothing, and Ctrl-C is a byte.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 1024 {
		n, err := r.Read(b)
		switch {
		case n == 1 && (b[0] == '\n' || b[0] == '\r'), errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case n == 1 && b[0] == 3: // Ctrl-C
			return "", errors.New("interrupted; nothing was done")
		case n == 1 && (b[0] == 127 || b[0] == 8): // backspace
			line = line[:max(0, len(line)-1)]
		case n == 1:
			line = append(line, b[0])
		case err != nil:
			return "", errors.New("no passphrase came on standard input")
		}
	}
	return "", errors.New("that is no passphrase: the line does not end")
}
