package access

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"holdfast/internal/store"
)

// Kind is the way somebody was recognized.
type Kind uint8

// The kinds; the zero value is nobody in particular.
const (
	Anonymous Kind = iota
	Local          // the local socket, by the credentials of the peer
	Bearer         // a token in the Authorization header
	Session        // a session cookie, got for a token or by a sign-in
)

// String returns the word used in logs and answers.
func (k Kind) String() string {
	switch k {
	case Anonymous:
		return "anonymous"
	case Local:
		return "local"
	case Bearer:
		return "token"
	case Session:
		return "session"
	}
	return "unknown"
}

// Identity is who sent a request. The zero value is anonymous without a role.
type Identity struct {
	Kind    Kind
	TokenID string     // of the token, also behind a session; empty for Local and Account
	Account string     // signin.Person.Account of who signed in; empty: a token was shown
	Name    string     // of the token, the address or subject of who signed in, or "uid 1000"
	Role    store.Role // empty: none
	Remote  netip.Addr // invalid on the local socket
	Expires time.Time  // when it ends by itself; zero: never

	session sessionKey
}

// account is what limits are counted for.
func (i Identity) account() string { return cmp.Or(i.TokenID, i.Account) }

// Actor returns the identity as the audit log writes it.
func (i Identity) Actor() store.Actor {
	source := "local"
	if i.Remote.IsValid() {
		source = i.Remote.String()
	}
	return store.Actor{Name: cmp.Or(i.Name, i.Kind.String()), Role: i.Role, Source: source}
}

// Allows reports whether a role includes what needs another. The empty role
// includes nothing but what needs the empty role; unknown roles include
// nothing and are included in nothing.
func Allows(have, need store.Role) bool {
	h, n := rank(have), rank(need)
	return h >= 0 && n >= 0 && h >= n
}

func rank(r store.Role) int {
	switch r {
	case "":
		return 0
	case store.Viewer:
		return 1
	case store.Operator:
		return 2
	case store.Admin:
		return 3
	}
	return -1
}

// Check returns nil when the identity in ctx has the role, else an *Error:
// 401 for nobody, 403 for somebody with a lesser role.
func Check(ctx context.Context, need store.Role) error {
	id, why := FromContext(ctx), reasonFrom(ctx)
	switch {
	case Allows(id.Role, need):
		return nil
	case id.Kind == Anonymous:
		return &Error{
			Status: http.StatusUnauthorized, Message: cmp.Or(why, "this needs a token"),
			Hint: "send \"Authorization: Bearer hf_...\"; holdfast token create makes one, and the file admin-token in the data directory holds the first",
		}
	}
	return &Error{
		Status:  http.StatusForbidden,
		Message: fmt.Sprintf("this needs the role %s, and %s has %s", need, strconv.Quote(id.Actor().Name), cmp.Or(string(id.Role), "none")),
		Hint:    "holdfast token create --role " + string(need) + " makes a token that may",
	}
}

type contextKey uint8

const (
	visitKey contextKey = iota
	peerKey
	ledgerKey
)

// visit is what Guard found out about a request, and the context that carries
// it on: one allocation for both.
type visit struct {
	context.Context //nolint:containedctx // it is one

	identity Identity
	reason   string // why there is no identity, when the client tried to have one
}

// FromContext returns who sent the request; anonymous outside of Guard.
func FromContext(ctx context.Context) Identity {
	if v, ok := ctx.Value(visitKey).(*visit); ok {
		return v.identity
	}
	return Identity{}
}

// NewContext returns a context in which id is who acts, for work that begins
// elsewhere than in a request, and for tests of handlers.
func NewContext(ctx context.Context, id Identity) context.Context {
	return &visit{Context: ctx, identity: id}
}

// Value implements context.Context.
func (v *visit) Value(key any) any {
	if key == visitKey {
		return v
	}
	return v.Context.Value(key)
}

func reasonFrom(ctx context.Context) string {
	if v, ok := ctx.Value(visitKey).(*visit); ok {
		return v.reason
	}
	return ""
}
