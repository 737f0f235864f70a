package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages", Args: cobra.ExactArgs(1),
		Long: `Write a manual page for each command into a directory, for man(1):

  holdfast man /usr/local/share/man/man1`,
		Example: "  holdfast man /usr/local/share/man/man1",
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make directory: %w", err)
			}
			day := time.Time{} // the same pages from the same version
			header := &doc.GenManHeader{Title: "HOLDFAST", Section: "1", Source: "holdfast " + version, Manual: "Holdfast", Date: &day}
			root := c.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			files, err := os.ReadDir(args[0])
			if err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s to %s\n", counted(len(files), "page"), args[0])
			return err
		},
	}
}
