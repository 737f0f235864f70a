package store

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Role is what a token may do. Each role may do what the ones before it may.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // read
	Operator Role = "operator" // act on instances and breakers
	Admin    Role = "admin"    // change configuration and tokens
)

// ParseRole returns the role of that name.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case Viewer, Operator, Admin:
		return r, nil
	}
	return "", fmt.Errorf("role %q is none of viewer, operator, admin", s)
}

// Why a token is not accepted; errors of Token.Check.
var (
	ErrTokenWrong   = errors.New("token is unknown or wrong")
	ErrTokenExpired = errors.New("token has expired")
	ErrTokenRevoked = errors.New("token was revoked")
)

// Token is an access token as it is stored: the hash, never the secret.
type Token struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Role       Role      `json:"role"`
	Hash       []byte    `json:"-"` // SHA-256 of the whole secret; it has 256 random bits, so a slow hash adds nothing
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"` // zero: never
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// NewToken makes a token and the secret that belongs to it, which is shown once: "hf_<id>_<64 hex digits>". A zero
// expires is never.
func NewToken(name string, role Role, expires, now time.Time) (t Token, secret string) {
	var b [38]byte
	_, _ = rand.Read(b[:]) // never fails; the program ends when the system has no randomness
	id := hex.EncodeToString(b[:6])
	secret = "hf_" + id + "_" + hex.EncodeToString(b[6:])
	hash := sha256.Sum256([]byte(secret))
	return Token{ID: id, Name: name, Role: role, Hash: hash[:], CreatedAt: now, ExpiresAt: expires}, secret
}

// TokenID returns the id inside a secret, by which its row is found.
func TokenID(secret string) (string, bool) {
	rest, ok := strings.CutPrefix(secret, "hf_")
	id, _, found := strings.Cut(rest, "_")
	return id, ok && found && len(id) == 12
}

// Check compares in constant time and returns nil, ErrTokenWrong, ErrTokenRevoked or ErrTokenExpired. Only the owner of
// the right secret learns of the last two.
func (t Token) Check(secret string, now time.Time) error {
	var room [128]byte // a secret fits, so that hashing it allocates nothing
	hash := sha256.Sum256(append(room[:0], secret...))
	switch {
	case subtle.ConstantTimeCompare(hash[:], t.Hash) != 1:
		return ErrTokenWrong
	case !t.RevokedAt.IsZero():
		return ErrTokenRevoked
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return ErrTokenExpired
	}
	return nil
}
