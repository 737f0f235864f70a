package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"holdfast/internal/admin/access/signin"
)

// SessionConfig bounds the sessions of browsers. They live in memory: after a
// restart everybody logs in again.
type SessionConfig struct {
	Name     string        // of the cookie; "" is "holdfast". On TLS it gets the prefix __Host-
	Idle     time.Duration // a session unused for this long ends; 0: 30 min
	Lifetime time.Duration // a session ends after this in any case; 0: 12 h
	Limit    int           // sessions at once; 0: 1,000. The one unused for longest makes room
	PerToken int           // sessions of one token or person; 0: 10. Likewise
	// Secure says that browsers reach the plain listener through a proxy that
	// speaks TLS: cookies are then as strict as on TLS.
	Secure bool
}

const (
	defaultCookie   = "holdfast"
	defaultIdle     = 30 * time.Minute
	defaultLifetime = 12 * time.Hour
	defaultSessions = 1000
	defaultPerToken = 10
)

// sessionKey is the hash of a cookie's value. A lookup by hash tells nothing
// about the value by its time, and a memory dump holds no usable cookie.
type sessionKey [sha256.Size]byte

// session belongs to an account: the id of a token, or signin.Person.Account.
type session struct {
	account    string
	person     *signin.Person // who signed in; nil: a token was shown
	begun, hit time.Time
}

// sessions is safe for concurrent use.
type sessions struct {
	config SessionConfig
	mu     sync.Mutex
	all    *lru[sessionKey, session]
}

func newSessions(c SessionConfig) *sessions {
	if c.Name == "" {
		c.Name = defaultCookie
	}
	c.Idle, c.Lifetime = orDefault(c.Idle, defaultIdle), orDefault(c.Lifetime, defaultLifetime)
	c.Limit, c.PerToken = orDefault(c.Limit, defaultSessions), orDefault(c.PerToken, defaultPerToken)
	return &sessions{config: c, all: newLRU[sessionKey, session](c.Limit)}
}

// begin makes a session for who was just recognized and returns the value of its
// cookie and when it ends at the latest.
func (s *sessions) begin(one session, now time.Time) (value string, until time.Time) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails; the program ends when the system has no randomness
	value = sessionPrefix + hex.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(one.account, now)
	one.begun, one.hit = now, now
	s.all.add(sha256.Sum256([]byte(value)), one)
	return value, now.Add(s.config.Lifetime)
}

// makeRoom ends what is over, and the oldest session of the account when it has
// too many. Requires s.mu.
func (s *sessions) makeRoom(account string, now time.Time) {
	mine := 1
	s.all.fromOldest(func(k sessionKey, e *session) bool {
		if s.over(e, now) {
			s.all.remove(k)
		} else if e.account == account {
			mine++
		}
		return true
	})
	s.all.fromOldest(func(k sessionKey, e *session) bool {
		if mine > s.config.PerToken && e.account == account {
			s.all.remove(k)
			mine--
		}
		return mine > s.config.PerToken
	})
}

func (s *sessions) over(e *session, now time.Time) bool {
	return now.Sub(e.hit) >= s.config.Idle || now.Sub(e.begun) >= s.config.Lifetime
}

// find returns the session of a cookie and counts as its use.
func (s *sessions) find(value string, now time.Time) (key sessionKey, found session, ok bool) {
	key = sha256.Sum256([]byte(value))
	found, ok = s.at(key, now, true)
	return key, found, ok
}

// at returns the session of a key, unless it is over.
func (s *sessions) at(key sessionKey, now time.Time, use bool) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all.get(key)
	if e == nil {
		return session{}, false
	}
	if s.over(e, now) {
		s.all.remove(key)
		return session{}, false
	}
	if use {
		e.hit = now
	}
	return *e, true
}

func (s *sessions) end(key sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.remove(key)
}

// secure reports whether the browser at the other end speaks TLS.
func (s *sessions) secure(r *http.Request) bool { return r.TLS != nil || s.config.Secure }

// cookieName has the prefix on TLS that makes browsers refuse the cookie from
// anybody but this very host.
func (s *sessions) cookieName(r *http.Request) string {
	if s.secure(r) {
		return "__Host-" + s.config.Name
	}
	return s.config.Name
}

// cookie is the cookie with a value; the empty value deletes it.
func (s *sessions) cookie(r *http.Request, value string) *http.Cookie {
	age := int(s.config.Lifetime / time.Second)
	if value == "" {
		age = -1
	}
	return &http.Cookie{
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: age,
		Secure: s.secure(r), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
