package exchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// token is the content of an affinity cookie. It names the instance by a hash:
// clients need not know what instances are called.
type token struct {
	session  uint64
	made     int64 // Unix milliseconds; ClearSessions voids what was made before
	instance uint64
}

// The layout: version, session, made, instance, signature.
const (
	tokenVersion = 1
	tokenBody    = 1 + 8 + 8 + 8
	tokenMAC     = 16
	tokenSize    = tokenBody + tokenMAC
)

// age is negative for a cookie from a gateway whose clock is ahead.
func (t token) age(now time.Time) time.Duration { return now.Sub(time.UnixMilli(t.made)) }

// seal signs a token for one function; a token of another function or another
// secret is not accepted.
func (t token) seal(secret []byte, function string) string {
	b := make([]byte, tokenBody, tokenSize)
	b[0] = tokenVersion
	binary.BigEndian.PutUint64(b[1:], t.session)
	binary.BigEndian.PutUint64(b[9:], uint64(t.made))
	binary.BigEndian.PutUint64(b[17:], t.instance)
	return base64.RawURLEncoding.EncodeToString(append(b, tokenSum(secret, function, b)...))
}

// openToken returns the token of a cookie value if it is genuine. There is one
// spelling of each token only.
func openToken(value string, secret []byte, function string) (token, bool) {
	if len(value) != base64.RawURLEncoding.EncodedLen(tokenSize) || strings.ContainsAny(value, "\r\n") {
		return token{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || b[0] != tokenVersion || !hmac.Equal(b[tokenBody:], tokenSum(secret, function, b[:tokenBody])) {
		return token{}, false
	}
	return token{
		session:  binary.BigEndian.Uint64(b[1:]),
		made:     int64(binary.BigEndian.Uint64(b[9:])),
		instance: binary.BigEndian.Uint64(b[17:]),
	}, true
}

func tokenSum(secret []byte, function string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(function))
	m.Write([]byte{0})
	m.Write(body)
	return m.Sum(nil)[:tokenMAC]
}

// cookieValue finds one cookie in a Cookie field.
func cookieValue(field, name string) string {
	for len(field) > 0 {
		var pair string
		pair, field, _ = strings.Cut(field, ";")
		if k, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && k == name {
			return v
		}
	}
	return ""
}
