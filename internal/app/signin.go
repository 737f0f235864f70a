package app

import (
	"fmt"

	"holdfast/internal/admin/access/signin"
	"holdfast/internal/config"
	"holdfast/internal/store"
)

// signInOf makes the provider by which people sign in, and where it sends
// browsers back to; nil: there is none. Nobody is asked before somebody signs in.
func signInOf(c *config.OIDC) (provider *signin.Provider, callback string, err error) {
	if c == nil {
		return nil, "", nil
	}
	provider, err = signin.New(signin.Config{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes, Claim: c.Claim, Domains: c.Domains,
		Roles: map[store.Role][]string{store.Viewer: c.Roles.Viewer, store.Operator: c.Roles.Operator, store.Admin: c.Roles.Admin},
	})
	if err != nil {
		return nil, "", fmt.Errorf("admin.oidc: %w", err)
	}
	return provider, c.RedirectURL, nil
}
