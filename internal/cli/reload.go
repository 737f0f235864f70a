package cli

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func reloadCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Make the running Holdfast read its configuration again", Args: cobra.NoArgs,
		Long: `Make the running Holdfast read its configuration again and print what changed.
A faulty file changes nothing. holdfast config diff shows the changes before.`,
		Example: "  holdfast reload", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := newClient(g).ask(c.Context(), http.MethodPost, "reload", nil, nil)
			if err != nil {
				return err
			}
			if g.json() {
				return writeIndented(c.OutOrStdout(), b)
			}
			var v admin.Reloaded
			if err := json.Unmarshal(b, &v); err != nil {
				return fmt.Errorf("read the changes: %w", err)
			}
			return writeChanges(g.screen(c.OutOrStdout()), v.Changes, "reloaded")
		},
	}
}

// writeChanges prints changes, or that there are none.
func writeChanges(s *screen, changes []string, done string) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintf(s.w, "%s: nothing differs\n", done)
		return err
	}
	if err := writeLines(s, changes); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.w, "%s: %s\n", done, counted(len(changes), "change"))
	return err
}
