package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"holdfast/internal/admin"
)

func reloadCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Make the running Holdfast read its configuration again", Args: noArgs,
		Long: `Make the running Holdfast read its configuration again and print what changed.
A faulty file changes nothing. holdfast config diff shows the changes before.`,
		Example: "  holdfast reload", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			q := asked{method: http.MethodPost, path: "reload"}
			return show(c, g, q, func(s *screen, v *admin.Reloaded) error { return writeChanges(s, v.Changes, "reloaded") })
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
