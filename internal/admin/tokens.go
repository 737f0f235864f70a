package admin

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// Tokens is the list of access tokens, without secrets.
type Tokens struct {
	Tokens []store.Token `json:"tokens"`
}

// NewToken is the wish for a token.
type NewToken struct {
	Name string     `json:"name" minLength:"1" maxLength:"64" doc:"what it is for" example:"ci"`
	Role store.Role `json:"role" enum:"viewer,operator,admin" example:"viewer"`
	// LifetimeSeconds 0 is for ever.
	LifetimeSeconds int64 `json:"lifetime_seconds,omitempty" minimum:"0" maximum:"3153600000" doc:"0: for ever"`
}

// CreatedToken holds the only copy of the secret.
type CreatedToken struct {
	Token  store.Token `json:"token"`
	Secret string      `json:"secret" doc:"shown once"`
}

// RevokedToken says which token is of no use any more.
type RevokedToken struct {
	ID string `json:"id"`
}

func (a *api) addTokens() {
	s := a.server
	handle(a, op{
		id: "tokens", method: http.MethodGet, path: "/api/v1/tokens", tag: "access", role: store.Admin, errors: []int{503},
		summary: "Access tokens, without secrets",
	}, func(ctx context.Context, _ *nothing) (Tokens, error) {
		if s.config.Tokens == nil {
			return Tokens{}, errNoStore
		}
		list, err := s.config.Tokens.List(ctx)
		return Tokens{append([]store.Token{}, list...)}, err
	})
	handle(a, op{
		id: "token-create", method: http.MethodPost, path: "/api/v1/tokens", tag: "access", role: store.Admin, errors: []int{409, 503},
		summary: "Make a token; its secret is shown once",
	}, s.createToken)
	handle(a, op{
		id: "token-revoke", method: http.MethodDelete, path: "/api/v1/tokens/{id}", tag: "access", role: store.Admin, errors: []int{404, 409, 503},
		summary: "Revoke a token and end its sessions",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	},
	) (RevokedToken, error) {
		if s.config.Tokens == nil {
			return RevokedToken{}, errNoStore
		}
		access.Covered(ctx)
		return RevokedToken{in.ID}, s.config.Tokens.Revoke(ctx, in.ID, access.FromContext(ctx).Actor())
	})
}

func (s *Server) createToken(ctx context.Context, in *struct{ Body NewToken }) (CreatedToken, error) {
	if s.config.Tokens == nil {
		return CreatedToken{}, errNoStore
	}
	access.Covered(ctx)
	b := &in.Body
	lifetime := time.Duration(b.LifetimeSeconds) * time.Second
	t, secret, err := s.config.Tokens.Create(ctx, access.NewToken{Name: b.Name, Role: b.Role, Lifetime: lifetime}, access.FromContext(ctx).Actor())
	return CreatedToken{t, secret}, err
}
