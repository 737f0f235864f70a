package access

import (
	"net/http"
	"net/netip"
	"time"

	"holdfast/internal/admin/access/signin"
)

// BearerOf, CookieOf, HostName and ValidSecret are what reads text from
// strangers.
func BearerOf(h http.Header) (string, bool)                { return bearer(h) }
func CookieOf(r *http.Request, name string) (string, bool) { return sessionCookie(r, name) }
func HostName(s string) (string, bool)                     { return hostName(s) }
func ValidSecret(s string) bool                            { return validSecret(s) }

// HostAllowed asks the host check directly.
func HostAllowed(names []string, host string, local netip.Addr) bool {
	h, err := newHosts(names)
	return err == nil && h.allowed(host, local)
}

// ComparedHash returns the hash a secret with this id would be compared with.
func (t *Tokens) ComparedHash(id string, now time.Time) []byte {
	tok, _, _ := t.find(t.list.Load(), id, now)
	return tok.Hash
}

// Remembered returns how many addresses, identities, failing addresses and
// sessions take up memory.
func (g *Guard) Remembered() [4]int {
	return [4]int{len(g.addresses.all.items), len(g.identities.all.items), len(g.failures.all.items), len(g.sessions.all.items)}
}

// FlowAfter reports whether a sign-in that is this old may be finished.
func FlowAfter(now time.Time, age time.Duration) bool {
	f := newFlows()
	_, ok := f.of(f.begin(now), now.Add(age))
	return ok
}

// BeginFor begins a session of somebody who signed in.
func (g *Guard) BeginFor(p signin.Person, now time.Time) (value string, until time.Time) {
	return g.sessions.begin(session{account: p.Account(), person: &p}, now)
}
