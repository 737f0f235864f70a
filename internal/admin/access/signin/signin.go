// Package signin asks an OpenID Connect provider who somebody is, by the
// authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9700).
//
//	browser ─► Start ─► the provider's page ─► callback with code and state
//	Finish:  code + verifier ─► token endpoint ─► ID token
//	         signature, issuer, audience, times, nonce ─► claims ─► role
//
// The provider is looked for when somebody signs in, not at the start: Holdfast
// runs while it is down, and tokens work. What it says is believed only as far as
// its signature goes; an address of mail only when it says that it was verified.
//
// This package keeps nothing about who signs in: state, nonce and verifier are its
// caller's, which binds them to a browser.
package signin

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"holdfast/internal/store"
)

// Config makes a Provider.
type Config struct {
	// Issuer is the provider's address, to which /.well-known/openid-configuration
	// is added.
	Issuer string
	// ClientID and ClientSecret are what the provider gave this client; the secret
	// may be empty.
	ClientID, ClientSecret string
	// Scopes besides openid.
	Scopes []string
	// Claim of the ID token whose values give roles; empty: groups. Dots lead into
	// objects, unless there is a claim of that very name.
	Claim string
	// Roles are the values that give each role; the highest counts. "*" is
	// everybody.
	Roles map[store.Role][]string
	// Domains of mail addresses that may come in; empty: all.
	Domains []string
	// Timeout of all that is asked for one step of a sign-in; 0: 10 s.
	Timeout time.Duration
	// RootCAs are who may have signed the provider's certificate; nil: the
	// system's.
	RootCAs *x509.CertPool
}

const (
	defaultTimeout = 10 * time.Second
	defaultClaim   = "groups"
	// Everybody is the value of a claim that all have.
	Everybody = "*"
	// skew is how far the provider's clock may be ahead or behind.
	skew = 2 * time.Minute
	// freshFor is how long a description of the provider is used before it is
	// asked for again; keys are fetched when one is unknown.
	freshFor    = time.Hour
	atOnce      = 8
	answerBytes = 1 << 20
)

// Provider is one OpenID Connect provider. Safe for concurrent use.
type Provider struct {
	config Config
	host   string
	client *http.Client
	known  atomic.Pointer[description]
	slots  chan struct{} // bounds how much is asked at once
}

type description struct {
	provider *oidc.Provider
	oauth    *oauth2.Config // remembers how the provider wants the secret
	at       time.Time
}

var (
	errIssuer = errors.New("issuer must be an https:// URL (http:// on this machine only)")
	errClient = errors.New("client_id is missing")
)

// New asks nobody. Its errors name the key.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u.Hostname())) {
		return nil, errIssuer
	}
	if c.ClientID == "" {
		return nil, errClient
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Claim == "" {
		c.Claim = defaultClaim
	}
	return &Provider{config: c, host: u.Host, client: clientOf(&c), slots: make(chan struct{}, atOnce)}, nil
}

// clientOf follows no redirects: a provider's endpoints are where it says.
func clientOf(c *Config) *http.Client {
	return &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true, // sign-ins are rare, idle connections need an owner
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}, MaxResponseHeaderBytes: 64 << 10,
		}},
	}
}

// bounded reads no more of an answer than one can need.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, answerBytes), answer.Body}
	return answer, nil
}

// Name is how a button calls the provider: its host.
func (p *Provider) Name() string { return p.host }

// Refusal is why somebody does not come in, in words for that somebody. Cause is
// for the log only.
//
//nolint:errname // it is an answer more than an error
type Refusal struct {
	Message, Hint string
	// Down: it is the provider that does not work.
	Down  bool
	Cause error
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// Unwrap implements errors.
func (r *Refusal) Unwrap() error { return r.Cause }

// Flow is what binds the two halves of a sign-in together. Each is secret and
// good for one sign-in.
type Flow struct{ State, Nonce, Verifier string }

// Start returns the address of the provider's page. Redirect is where it sends
// the browser back to.
func (p *Provider) Start(ctx context.Context, redirect string, f Flow) (string, error) {
	ctx, done, err := p.begin(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	found, err := p.find(ctx)
	if err != nil {
		return "", err
	}
	return found.oauth.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier), backTo(redirect)), nil
}

// begin takes one of the slots and sets the deadline.
func (p *Provider) begin(ctx context.Context) (context.Context, func(), error) {
	select {
	case p.slots <- struct{}{}:
	default:
		return nil, nil, &Refusal{Message: "too many people sign in at this moment", Hint: "try again in some seconds", Down: true}
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	return oidc.ClientContext(ctx, p.client), func() {
		cancel()
		<-p.slots
	}, nil
}

// find describes the provider. An old description serves while there is no newer
// one to be had.
func (p *Provider) find(ctx context.Context) (*description, error) {
	old := p.known.Load()
	if old != nil && time.Since(old.at) < freshFor {
		return old, nil
	}
	provider, err := oidc.NewProvider(ctx, p.config.Issuer)
	if err == nil {
		found := &description{provider, p.oauth(provider), time.Now()}
		p.known.Store(found)
		return found, nil
	}
	if old != nil {
		return old, nil
	}
	return nil, &Refusal{
		Message: "the provider " + p.host + " cannot be reached", Hint: "sign in with a token, or try again; the log says more", Down: true,
		Cause: fmt.Errorf("describe the provider: %w", err),
	}
}

func (p *Provider) oauth(provider *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: provider.Endpoint(),
		Scopes: append([]string{oidc.ScopeOpenID}, p.config.Scopes...),
	}
}

func backTo(redirect string) oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("redirect_uri", redirect)
}

// Finish takes what the provider sent the browser back with. Whoever calls it has
// compared the state already.
func (p *Provider) Finish(ctx context.Context, redirect string, f Flow, answer url.Values, now time.Time) (Person, error) {
	if err := p.answered(answer); err != nil {
		return Person{}, err
	}
	ctx, done, err := p.begin(ctx)
	if err != nil {
		return Person{}, err
	}
	defer done()
	found, err := p.find(ctx)
	if err != nil {
		return Person{}, err
	}
	tokens, err := found.oauth.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(f.Verifier), backTo(redirect))
	if err != nil {
		return Person{}, p.notExchanged(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := p.verified(ctx, found.provider, raw, f.Nonce, now)
	if err != nil {
		return Person{}, &Refusal{Message: "what the provider " + p.host + " says cannot be believed", Hint: "start again; if it stays so, compare issuer, client_id and the clocks of both machines, the log says more", Cause: err}
	}
	return p.admit(token)
}

// answered refuses what is no code of this provider.
func (p *Provider) answered(q url.Values) error {
	if issuer := q.Get("iss"); issuer != "" && issuer != p.config.Issuer { // RFC 9207
		return &Refusal{Message: "another provider answers", Hint: "start again", Cause: errors.New("callback with another iss")}
	}
	if code := q.Get("error"); code != "" {
		known := []string{"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required", "temporarily_unavailable", "server_error", "invalid_scope", "unauthorized_client", "invalid_request"}
		shown := "an error"
		if slices.Contains(known, code) {
			shown = code
		}
		return &Refusal{Message: "the provider " + p.host + " did not sign you in: " + shown, Hint: "start again, or ask who runs the provider", Cause: fmt.Errorf("callback with error %.100q: %.200q", code, q.Get("error_description"))}
	}
	if q.Get("code") == "" {
		return &Refusal{Message: "the provider " + p.host + " sent no code", Hint: "start again", Cause: errors.New("callback without code")}
	}
	return nil
}

// notExchanged tells a code that is not taken from a provider that is not there.
func (p *Provider) notExchanged(err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil && answer.Response.StatusCode < 500 {
		hint := "start again"
		if answer.ErrorCode == "invalid_client" || answer.ErrorCode == "unauthorized_client" {
			hint = "the provider knows another client_id or client_secret than admin.oidc has"
		}
		// The error's own text would quote the whole answer.
		return &Refusal{Message: "the provider " + p.host + " does not take the code back", Hint: hint, Cause: fmt.Errorf("token endpoint answers %d: %.100q", answer.Response.StatusCode, answer.ErrorCode)}
	}
	cause := errors.New("token endpoint cannot be reached or does not answer as it should")
	if errors.Is(err, context.DeadlineExceeded) {
		cause = context.DeadlineExceeded
	}
	return &Refusal{Message: "the provider " + p.host + " cannot be reached", Hint: "sign in with a token, or try again", Down: true, Cause: cause}
}

var (
	errNonce   = errors.New("the nonce is another one")
	errParty   = errors.New("the token was issued to another client")
	errIssued  = errors.New("the token was issued in the future")
	errNoToken = errors.New("no ID token")
	errSubject = errors.New("the token names nobody")
)

// verified checks all that OpenID Connect Core 1.0, section 3.1.3.7 asks for.
func (p *Provider) verified(ctx context.Context, provider *oidc.Provider, raw, nonce string, now time.Time) (*oidc.IDToken, error) {
	if raw == "" {
		return nil, errNoToken
	}
	// A clock that is behind the provider's needs no more: what is not valid yet is
	// let through for five minutes by the library.
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: p.config.ClientID, Now: func() time.Time { return now.Add(-skew) }}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verify the ID token: %w", err)
	}
	var parties struct {
		Authorized string `json:"azp"`
	}
	if err := token.Claims(&parties); err != nil {
		return nil, fmt.Errorf("read the ID token: %w", err)
	}
	switch {
	case nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return nil, errNonce
	case parties.Authorized != "" && parties.Authorized != p.config.ClientID, len(token.Audience) > 1 && parties.Authorized == "":
		return nil, errParty
	case token.IssuedAt.After(now.Add(skew)):
		return nil, errIssued
	case token.Subject == "":
		return nil, errSubject
	}
	return token, nil
}
