package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"holdfast/internal/admin/access/signin"
	"holdfast/internal/store"
)

// Config makes a Guard.
type Config struct {
	Tokens   *Tokens // required
	Sessions SessionConfig
	Limits   Limits
	// Hosts are names under which the listener is reached, without port. Local
	// names need not be listed.
	Hosts []string
	// NoHSTS leaves Strict-Transport-Security out, for hosts that serve plain
	// HTTP on other ports: browsers would not go there any more.
	NoHSTS bool
	// Refuse writes a refusal; nil: Error.Write.
	Refuse func(http.ResponseWriter, *http.Request, *Error)
	Logger *slog.Logger // nil: silent
	Audit  *Audit       // hears of logins and logouts; nil: nobody does
	// SignIn lets people sign in through a provider; nil: with tokens only.
	SignIn *signin.Provider
	// Callback is the address of CallbackPath as browsers reach it; empty: by the
	// name they came with.
	Callback string
}

// Guard stands before the handlers of the admin interface. Safe for concurrent
// use.
type Guard struct {
	config     Config
	hosts      *hosts
	sessions   *sessions
	headers    strict
	origin     *http.CrossOriginProtection
	addresses  *buckets[netip.Prefix]
	identities *buckets[string]
	failures   *failures
	streams    *streams
	flows      flows
}

// New makes a Guard. It returns an error that names the field.
func New(c Config) (*Guard, error) {
	if c.Tokens == nil {
		return nil, errors.New("access: Tokens is required")
	}
	h, err := newHosts(c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("access: Hosts: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Refuse == nil {
		c.Refuse = func(w http.ResponseWriter, _ *http.Request, why *Error) { why.Write(w) }
	}
	l := c.Limits.withDefaults()
	c.Limits = l
	return &Guard{
		config: c, hosts: h, sessions: newSessions(c.Sessions), headers: newStrict(), origin: http.NewCrossOriginProtection(),
		addresses: newBuckets[netip.Prefix](l.Address, l.Tracked), identities: newBuckets[string](l.Identity, l.Tracked),
		failures: newFailures(l), streams: &streams{each: l.Streams, total: l.Total, open: map[string]int{}}, flows: newFlows(),
	}, nil
}

const (
	headTimeout = 5 * time.Second
	idleTimeout = 60 * time.Second
)

// Prepare sets what the server in front of Handler must hold: the size and
// time of request heads, and ConnContext. Both listeners need it.
func (g *Guard) Prepare(s *http.Server) {
	s.MaxHeaderBytes = g.config.Limits.Header
	s.ReadHeaderTimeout = headTimeout
	s.IdleTimeout = idleTimeout
	s.ConnContext = ConnContext
}

// Handler puts the guard before a handler, all of it: pages, API, metrics.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.headers.set(w.Header())
		if r.TLS != nil && !g.config.NoHSTS {
			g.headers.setTransport(w.Header(), r.Host)
		}
		v, err := g.admit(r, time.Now())
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, g.config.Limits.Body)
		}
		v.Context = r.Context()
		next.ServeHTTP(w, r.WithContext(v)) //nolint:contextcheck // v wraps the context of r
	})
}

// admit finds out who asks and whether they may ask at all.
func (g *Guard) admit(r *http.Request, now time.Time) (*visit, error) {
	p := peerOf(r)
	if p.local {
		return &visit{identity: p.identity}, nil
	}
	if !g.hosts.allowed(r.Host, p.here) {
		return nil, &Error{
			Status: http.StatusMisdirectedRequest, Message: fmt.Sprintf("this interface is not known as %q", Mask(r.Host)),
			Hint: "open it by its address, or add the name to admin.hosts in the configuration",
		}
	}
	if r.ContentLength > g.config.Limits.Body {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is longer than %d bytes", g.config.Limits.Body)}
	}
	from := clientNetwork(p.address)
	if wait, ok := g.addresses.take(from, now); !ok {
		return nil, tooMany("requests from this address", wait)
	}
	v, err := g.identify(r, client{p.address, from}, now)
	if err != nil {
		return nil, err
	}
	if v.identity.Kind == Session {
		if err := g.sameOrigin(r); err != nil {
			return nil, err
		}
	}
	if v.identity.Kind != Anonymous {
		if wait, ok := g.identities.take(v.identity.account(), now); !ok {
			return nil, tooMany("requests with this token or sign-in", wait)
		}
	}
	return v, nil
}

// client is where a request comes from, and what its limits are counted for.
type client struct {
	address netip.Addr
	network netip.Prefix
}

// identify tells a bearer, a session or nobody. A token that is shown and not
// good is an error, also where no token is needed: its owner should know.
func (g *Guard) identify(r *http.Request, c client, now time.Time) (*visit, error) {
	remote := c.address
	if secret, sent := bearer(r.Header); sent {
		tok, err := g.verify(r.Context(), secret, c, now)
		if err != nil {
			return nil, err
		}
		return &visit{identity: identityOf(Bearer, tok, remote)}, nil
	}
	value, ok := sessionCookie(r, g.sessions.cookieName(r))
	if !ok {
		return &visit{identity: Identity{Remote: remote}}, nil
	}
	nobody := &visit{identity: Identity{Remote: remote}, reason: "the session has ended: log in again"}
	key, s, ok := g.sessions.find(value, now)
	if !ok {
		return nobody, nil
	}
	if s.person != nil {
		id := identityOfPerson(*s.person, remote)
		id.session, id.Expires = key, s.begun.Add(g.sessions.config.Lifetime)
		return &visit{identity: id}, nil
	}
	tok, err := g.config.Tokens.Current(s.account, now)
	if errors.Is(err, ErrUnverifiable) {
		return nil, err
	}
	if err != nil {
		g.sessions.end(key)
		return nobody, nil //nolint:nilerr // a spent token ends the session; that is no fault of this request
	}
	id := identityOf(Session, tok, remote)
	id.session, id.Expires = key, earlier(tok.ExpiresAt, s.begun.Add(g.sessions.config.Lifetime))
	return &visit{identity: id}, nil
}

func identityOf(k Kind, tok store.Token, remote netip.Addr) Identity {
	return Identity{Kind: k, TokenID: tok.ID, Name: tok.Name, Role: tok.Role, Remote: remote, Expires: tok.ExpiresAt}
}

// identityOfPerson has the role that was given at the sign-in: it is asked for
// again when the session is over.
func identityOfPerson(p signin.Person, remote netip.Addr) Identity {
	return Identity{Kind: Session, Account: p.Account(), Name: p.Name, Role: p.Role, Remote: remote}
}

// earlier treats the zero time as never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// verify checks a token that was shown. While an address waits for its failed
// logins, only tokens in memory count: who shares the address is not locked
// out, and wrong ones cost neither a read of the store nor a line in the log.
func (g *Guard) verify(ctx context.Context, secret string, c client, now time.Time) (store.Token, error) {
	wait := g.failures.wait(c.network, now)
	check := g.config.Tokens.Verify
	if wait > 0 {
		check = func(_ context.Context, secret string, now time.Time) (store.Token, error) {
			return g.config.Tokens.Known(secret, now)
		}
	}
	tok, err := check(ctx, secret, now)
	switch {
	case err == nil:
		g.failures.succeeded(c.network)
		return tok, nil
	case wait > 0:
		return tok, tooMany("wrong tokens from this address", wait)
	case errors.Is(err, ErrUnverifiable):
		return tok, err // may be a good one: nobody's fault
	}
	count := g.failures.failed(c.network, now)
	g.config.Logger.LogAttrs(ctx, slog.LevelWarn, "token refused", slog.String("remote", c.address.String()),
		slog.Int("failures", count), slog.String("reason", err.Error()))
	return tok, err
}

func tooMany(what string, wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Message: "too many " + what, RetryAfter: max(wait, time.Millisecond)}
}

func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	why := AsError(err)
	g.config.Logger.LogAttrs(r.Context(), slog.LevelDebug, "request refused", slog.Int("status", why.Status),
		slog.String("method", Mask(r.Method)), slog.String("path", Mask(r.URL.Path)), slog.String("reason", why.Message))
	g.config.Refuse(w, r, why)
}

// Require lets only identities with a role through to a handler.
func (g *Guard) Require(need store.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := Check(r.Context(), need); err != nil {
			g.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Still returns nil as long as an identity is good: its token was not revoked,
// its session not ended. Streams ask it at every heartbeat.
func (g *Guard) Still(id Identity, now time.Time) error {
	if id.Kind == Anonymous || id.Kind == Local {
		return nil
	}
	if id.Kind == Session {
		if _, ok := g.sessions.at(id.session, now, false); !ok {
			return &Error{Status: http.StatusUnauthorized, Message: "the session has ended: log in again"}
		}
	}
	if id.Account != "" {
		return nil
	}
	if _, err := g.config.Tokens.Current(id.TokenID, now); err != nil {
		return AsError(err)
	}
	return nil
}

// Stream counts in an event stream of the identity in ctx. Who opened it calls
// leave once when it ends.
func (g *Guard) Stream(ctx context.Context) (leave func(), err error) {
	id := FromContext(ctx)
	who := id.Kind.String() + " " + id.account()
	if id.Kind == Anonymous {
		who = clientNetwork(id.Remote).String()
	}
	if !g.streams.enter(who) {
		return nil, tooMany("open event streams", 5*time.Second)
	}
	return func() { g.streams.leave(who) }, nil
}
