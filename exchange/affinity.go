package exchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Affinity keeps a client on one instance as long as that instance takes
// traffic. At most one of Cookie, Header and ClientIP is set; none: no affinity.
type Affinity struct {
	Cookie   string // name of a cookie Holdfast signs and sets
	Header   string // a request field whose value names the session
	ClientIP bool
	TTL      time.Duration // since the last request; default 1 h
}

// On says whether there is any affinity.
func (a Affinity) On() bool { return a.Cookie != "" || a.Header != "" || a.ClientIP }

func (a Affinity) validate() error {
	n := 0
	for _, on := range []bool{a.Cookie != "", a.Header != "", a.ClientIP} {
		if on {
			n++
		}
	}
	if n > 1 {
		return errors.New("affinity names more than one of cookie, header and client_ip")
	}
	return nil
}

// token is the content of an affinity cookie.
type token struct {
	session    uint64
	generation uint32 // raised by ClearSessions: older tokens are void
	expires    int64  // unix seconds
	instance   string
}

const (
	tokenHead = 1 + 8 + 4 + 8 // version, session, generation, expiry
	tokenMAC  = 16
	tokenMax  = 512
)

// seal signs a token for one function; a token of another function or another
// secret is not accepted.
func (t token) seal(secret []byte, function string) string {
	b := make([]byte, tokenHead, tokenHead+len(t.instance)+tokenMAC)
	b[0] = 1
	binary.BigEndian.PutUint64(b[1:], t.session)
	binary.BigEndian.PutUint32(b[9:], t.generation)
	binary.BigEndian.PutUint64(b[13:], uint64(t.expires))
	b = append(b, t.instance...)
	return base64.RawURLEncoding.EncodeToString(append(b, tokenSum(secret, function, b)...))
}

// openToken returns the token of a cookie value if it is genuine and not expired.
func openToken(value string, secret []byte, function string, now time.Time) (token, bool) {
	if value == "" || len(value) > tokenMax {
		return token{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) < tokenHead+tokenMAC || b[0] != 1 {
		return token{}, false
	}
	body, mac := b[:len(b)-tokenMAC], b[len(b)-tokenMAC:]
	if !hmac.Equal(mac, tokenSum(secret, function, body)) {
		return token{}, false
	}
	t := token{
		session:    binary.BigEndian.Uint64(body[1:]),
		generation: binary.BigEndian.Uint32(body[9:]),
		expires:    int64(binary.BigEndian.Uint64(body[13:])),
		instance:   string(body[tokenHead:]),
	}
	return t, t.expires > now.Unix()
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

// hashString is FNV-1a with a final mix, good enough to spread sessions.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

func hashAddr(a netip.Addr) uint64 {
	b := a.As16()
	return mix(binary.BigEndian.Uint64(b[:8])*0x9e3779b97f4a7c15 ^ binary.BigEndian.Uint64(b[8:]))
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
