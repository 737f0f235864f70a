package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/store"
)

// BootstrapName is the file in the data directory that holds the first token.
const BootstrapName = "admin-token"

// NewToken says what token to make.
type NewToken struct {
	Name     string        // what it is for; 1 to 64 printable characters
	Role     store.Role    // what it may do
	Lifetime time.Duration // 0: for ever
}

const maxNameLength = 64

func (n NewToken) validate() error {
	if _, err := store.ParseRole(string(n.Role)); err != nil {
		return &Error{Status: 400, Message: "role: " + err.Error()}
	}
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if count := utf8.RuneCountInString(n.Name); count < 1 || count > maxNameLength || strings.ContainsFunc(n.Name, bad) || Mask(n.Name) != n.Name {
		return &Error{Status: 400, Message: fmt.Sprintf("name: want 1 to %d printable characters that say what the token is for", maxNameLength)}
	}
	if n.Lifetime < 0 {
		return &Error{Status: 400, Message: "lifetime: want a positive duration, or 0 for ever"}
	}
	return nil
}

// Bootstrap reads the token of the data directory, or makes one when there is
// none. It has the role admin, does not expire, and needs no store. Made says
// that the file is new. A file that others can read is refused, because
// whoever read it may have kept it.
func Bootstrap(dir string) (tok store.Token, made bool, err error) {
	path := filepath.Join(dir, BootstrapName)
	secret, err := readBootstrap(path)
	if errors.Is(err, fs.ErrNotExist) {
		made = true
		secret, err = makeBootstrap(path)
	}
	if err != nil {
		return store.Token{}, false, err
	}
	tok, err = fromSecret(secret, "bootstrap", store.Admin)
	if err != nil {
		return store.Token{}, false, fmt.Errorf("read %s: %w (delete it: a new one is made)", path, err)
	}
	return tok, made, nil
}

func readBootstrap(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read bootstrap token: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read bootstrap token: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is open to others (%v): delete it and restart for a new token, or chmod 600 if nobody has read it", path, info.Mode())
	}
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read bootstrap token: %w", err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// makeBootstrap writes the file whole and never over another one: of two
// processes that make it at once, both end up with the same token.
func makeBootstrap(path string) (string, error) {
	_, secret := store.NewToken("bootstrap", store.Admin, time.Time{}, time.Time{})
	f, err := os.CreateTemp(filepath.Dir(path), BootstrapName+".*") // 0600
	if err != nil {
		return "", fmt.Errorf("make bootstrap token: %w", err)
	}
	_, err = f.WriteString(secret + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil // the other one's is as good
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return "", fmt.Errorf("make bootstrap token: %w", err)
	}
	return readBootstrap(path)
}
