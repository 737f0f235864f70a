package cli

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
	"holdfast/internal/store"
)

func tokenCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "token", Short: "Make, list and revoke access tokens", Args: onlyCommands,
		Long: `Make, list and revoke the tokens of the admin interface. A viewer reads, an
operator acts on what runs, an admin also changes configuration and tokens. The
first token, admin, is the file admin-token in the data directory.`,
		Example: "  holdfast token create ci --role operator --lifetime 720h\n  holdfast token list\n  holdfast token revoke 0a1b2c3d4e5f",
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(tokenCreateCommand(g), tokenListCommand(g), tokenRevokeCommand(g))
	return c
}

func tokenCreateCommand(g *global) *cobra.Command {
	var role string
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a token and print it, once", Args: cobra.ExactArgs(1),
		Long:    "Make a token. The only copy of it is what is printed. --role says what it may\ndo, --lifetime how long.",
		Example: "  holdfast token create grafana --role viewer\n  holdfast token create ci --role operator --lifetime 720h > ci.token", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			o := admin.NewToken{Name: args[0], Role: store.Role(role), LifetimeSeconds: int64(lifetime.Seconds())}
			return give(c, g, asked{method: http.MethodPost, path: "tokens", body: o}, func(v *admin.CreatedToken) string { return v.Secret })
		},
	}
	c.Flags().StringVar(&role, "role", "viewer", "viewer, operator or admin")
	c.Flags().DurationVar(&lifetime, "lifetime", 0, "how long it is good (default for ever)")
	return c
}

func tokenListCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tokens, without their secrets", Args: noArgs,
		Example: "  holdfast token list", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return showTable(c, g, asked{path: "tokens"}, func(v *admin.Tokens) *table { return tokensTable(v, time.Now()) })
		},
	}
}

func tokensTable(v *admin.Tokens, now time.Time) *table {
	t := &table{columns: []column{
		{name: "ID"}, {name: "NAME", least: 8}, {name: "ROLE"}, {name: "MADE BY", least: 6}, {name: "USED", right: true}, {name: "GOOD UNTIL"},
	}}
	for i := range v.Tokens {
		x := &v.Tokens[i]
		until := cell{"for ever", plain}
		switch {
		case !x.RevokedAt.IsZero():
			until = cell{"revoked", red}
		case !x.ExpiresAt.IsZero() && !x.ExpiresAt.After(now):
			until = cell{"expired", red}
		case !x.ExpiresAt.IsZero():
			until = text("%s", x.ExpiresAt.Local().Format(time.DateTime))
		}
		used := "never"
		if !x.LastUsedAt.IsZero() {
			used = age(x.LastUsedAt, now)
		}
		t.add(text("%s", x.ID), text("%s", x.Name), text("%s", x.Role), text("%s", x.CreatedBy), text("%s", used), until)
	}
	return t
}

func tokenRevokeCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a token and its sessions at once", Args: cobra.ExactArgs(1),
		Example: "  holdfast token revoke 0a1b2c3d4e5f", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			q := asked{method: http.MethodDelete, path: escaped("tokens", args[0])}
			return give(c, g, q, func(*admin.RevokedToken) string { return args[0] + " is revoked" })
		},
	}
}
